#include "db/registry.h"

#include <quire/error.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sys/stat.h>

#include "storage/fault_guard.h"
#include "txn/recovery.h"

namespace quire::db {
namespace {

struct Known {
  std::weak_ptr<txn::Store> store;
  std::weak_ptr<txn::Viewer> viewer;

  Opened lock() const { return {store.lock(), viewer.lock()}; }
};

struct Registry {
  std::mutex mutex;
  std::map<storage::FileIdentity, Known> files;
  std::vector<std::shared_ptr<txn::Viewer>> held;  // around a fork
};

// Never destroyed: stores may outlive static destruction.
Registry& registry() {
  static Registry* const instance = new Registry;
  return *instance;
}

void before_fork() {
  registry().mutex.lock();
  for (const auto& [identity, known] : registry().files) {
    if (auto viewer = known.viewer.lock()) {
      viewer->hold();
      registry().held.push_back(std::move(viewer));
    }
  }
  storage::hold_fault_windows();
}

void release_viewers() {
  for (const auto& viewer : registry().held) viewer->release();
  registry().held.clear();
}

void after_fork_in_parent() {
  storage::release_fault_windows();
  release_viewers();
  registry().mutex.unlock();
}

// Mappings are not inherited, and the parent's locks must stay the parent's: every inherited store
// is given up.
void after_fork_in_child() {
  storage::release_fault_windows();
  for (auto& [identity, known] : registry().files) {
    const Opened inherited = known.lock();
    if (inherited.store) inherited.store->abandon_after_fork();
    if (inherited.viewer) inherited.viewer->abandon_after_fork();
  }
  registry().files.clear();
  release_viewers();
  registry().mutex.unlock();
}

storage::FileIdentity identity_at(const std::filesystem::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

template <typename Instance>
std::shared_ptr<Instance> joined(const std::shared_ptr<Instance>& instance,
                                 const Options& options) {
  instance->require_fits(options);
  if (options.guard_sigbus) instance->guard_sigbus();
  return instance;
}

Opened open_new(const std::filesystem::path& file, const Options& options) {
  try {
    return {std::make_shared<txn::Store>(file, options), nullptr};
  } catch (const storage::NotPermitted&) {
    if (!options.read_only) throw;
  }
  return {nullptr, std::make_shared<txn::Viewer>(file, options)};
}

// The instance that the process has of the file, or the one that `open` makes.
template <typename Open>
Opened open_once(storage::FileIdentity identity, const Options& options, Open open) {
  auto& files = registry().files;
  std::erase_if(files, [](const auto& entry) {
    return entry.second.store.expired() && entry.second.viewer.expired();
  });
  if (const auto known = files.find(identity); known != files.end()) {
    const Opened opened = known->second.lock();
    if (opened.store) {
      joined(opened.store, options)->require_readable();
      opened.store->require_in_place();
      return {opened.store, nullptr};
    }
    if (opened.viewer && options.read_only) return {nullptr, joined(opened.viewer, options)};
  }
  Opened opened = open();
  Known& known = files[opened.data().identity()];
  if (opened.store) known.store = opened.store;
  if (opened.viewer) known.viewer = opened.viewer;
  return opened;
}

void watch_forks() {
  [[maybe_unused]] static const int watching =
      pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

}  // namespace

Opened open_file(const std::filesystem::path& path, const Options& options) {
  watch_forks();
  const std::filesystem::path file = txn::ensure_file(path, options);
  const std::lock_guard lock(registry().mutex);
  return open_once(identity_at(file), options, [&] { return open_new(file, options); });
}

Opened open_in_memory(storage::MemoryFiles files, const Options& options) {
  watch_forks();
  const std::lock_guard lock(registry().mutex);
  const storage::FileIdentity region = storage::identity_of(files.region);
  Opened opened = open_once(storage::identity_of(files.data), options, [&] {
    return Opened{std::make_shared<txn::Store>(std::move(files), options), nullptr};
  });
  if (opened.store->region().file().identity() == region) return opened;
  throw Error(Errc::misuse, opened.name() +
                                ": the region is that of another database; pass both "
                                "descriptors that Database::descriptors() gives");
}

void require_own_process(const Opened& opened) {
  if (opened.is_abandoned()) refuse_inherited(opened.name());
}

void refuse_inherited(const std::string& name) {
  throw Error(Errc::forked, name + ": opened before fork; open it anew in the child");
}

}  // namespace quire::db
