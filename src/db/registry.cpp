#include "db/registry.h"

#include <quire/error.h>

#include <map>
#include <mutex>

#include <pthread.h>
#include <sys/stat.h>

#include "txn/recovery.h"

namespace quire::db {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<storage::FileIdentity, std::weak_ptr<txn::Store>> stores;
};

// Never destroyed: stores may outlive static destruction.
Registry& registry() {
  static Registry* const instance = new Registry;
  return *instance;
}

void before_fork() { registry().mutex.lock(); }

void after_fork_in_parent() { registry().mutex.unlock(); }

// Mappings are not inherited, and the parent's locks must stay the parent's: every inherited store
// is given up.
void after_fork_in_child() {
  for (auto& [identity, store] : registry().stores) {
    if (const auto inherited = store.lock()) inherited->abandon_after_fork();
  }
  registry().stores.clear();
  registry().mutex.unlock();
}

storage::FileIdentity identity_of(const std::filesystem::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

}  // namespace

std::shared_ptr<txn::Store> open_store(const std::filesystem::path& path, const Options& options) {
  [[maybe_unused]] static const int watching =
      pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  const std::filesystem::path file = txn::ensure_file(path, options);
  const std::lock_guard lock(registry().mutex);
  std::erase_if(registry().stores, [](const auto& entry) { return entry.second.expired(); });
  if (const auto known = registry().stores.find(identity_of(file));
      known != registry().stores.end()) {
    if (auto store = known->second.lock()) {
      store->require_fits(options);
      if (options.guard_sigbus) store->guard_sigbus();
      store->require_readable();
      store->require_in_place();
      return store;
    }
  }
  auto store = std::make_shared<txn::Store>(file, options);
  registry().stores[store->data().identity()] = store;
  return store;
}

void require_own_process(const txn::Store& store) {
  if (store.is_abandoned()) {
    throw Error(Errc::forked, store.name() + ": opened before fork; open it anew in the child");
  }
}

}  // namespace quire::db
