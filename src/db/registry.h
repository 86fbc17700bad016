// The databases that this process has open: the same file, by whatever path, is one store. Also
// where fork is noticed.
#pragma once

#include <quire/options.h>

#include <filesystem>
#include <memory>

#include "txn/store.h"

namespace quire::db {

// The store of a file, opened when it is not open yet. Threads: any; opening waits for other
// openings. Throws what Database's constructor does.
std::shared_ptr<txn::Store> open_store(const std::filesystem::path& path, const Options& options);

// Throws Errc::forked when the store was inherited from the parent process.
void require_own_process(const txn::Store& store);

}  // namespace quire::db
