// The databases that this process has open: the same file, by whatever path, is one instance. Also
// where fork is noticed.
#pragma once

#include <quire/options.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "txn/store.h"
#include "txn/viewer.h"

namespace quire::db {

// A file that is open here: a store, or in a process that may only read it a viewer.
struct Opened {
  std::shared_ptr<txn::Store> store;
  std::shared_ptr<txn::Viewer> viewer;

  const std::string& name() const noexcept { return store ? store->name() : viewer->name(); }
  const txn::Facts& facts() const noexcept { return store ? store->facts() : viewer->facts(); }
  const storage::DataFile& data() const noexcept {
    return store ? std::as_const(*store).data() : viewer->data();
  }
  bool is_abandoned() const noexcept {
    return store ? store->is_abandoned() : viewer->is_abandoned();
  }
};

// Opens a file that is not open yet. A viewer where `options.read_only` and the system does not
// permit more. Threads: any; opening waits for other openings. Throws what Database's constructor
// does.
Opened open_file(const std::filesystem::path& path, const Options& options);

// The same for a database in memory.
Opened open_in_memory(storage::MemoryFiles files, const Options& options);

// Throws Errc::forked when the file was opened by the parent process.
void require_own_process(const Opened& opened);
[[noreturn]] void refuse_inherited(const std::string& name);
inline void require_own_process(const txn::File& file) {
  if (file.is_abandoned()) [[unlikely]]
    refuse_inherited(file.name());
}

}  // namespace quire::db
