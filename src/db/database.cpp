#include <quire/database.h>
#include <quire/error.h>

#include "db/handles.h"
#include "txn/checkpoint.h"
#include "txn/flush.h"
#include "txn/recovery.h"
#include "txn/watch.h"

namespace quire {
namespace {

detail::Handle& require(const std::shared_ptr<detail::Handle>& handle) {
  if (!handle) throw Error(Errc::misuse, "used after it was moved from");
  db::require_own_process(handle->opened);
  if (handle->opened.store) handle->opened.store->require_readable();
  return *handle;
}

// Of a process that may write; a handle that is opened read-only may still flush.
txn::Store& require_store(const std::shared_ptr<detail::Handle>& handle) {
  const db::Opened& opened = require(handle).opened;
  if (!opened.store) {
    throw Error(Errc::read_only, opened.name() + ": this process may only read it");
  }
  return *opened.store;
}

detail::Handle& require_writable(const std::shared_ptr<detail::Handle>& handle) {
  const txn::Store& store = require_store(handle);
  if (handle->options.read_only) throw Error(Errc::read_only, store.name() + ": opened read-only");
  return *handle;
}

Transaction begin_with(const detail::Handle& handle, txn::WriterHold hold) {
  return detail::Access::make(std::make_unique<detail::TransactionState>(
      handle.opened.store, std::move(hold), handle.options));
}

}  // namespace

Database::Database(const std::filesystem::path& file, const Options& options)
    : handle_(std::make_shared<detail::Handle>()) {
  handle_->options = options;
  handle_->opened = db::open_file(file, options);
}

Database::Database(std::shared_ptr<detail::Handle> handle) noexcept : handle_(std::move(handle)) {}

Database Database::in_memory(const Options& options) {
  auto handle = std::make_shared<detail::Handle>();
  handle->options = options;
  handle->opened = db::open_in_memory(txn::create_in_memory(options), options);
  return Database(std::move(handle));
}

Database Database::from_descriptors(const Descriptors& descriptors, const Options& options) {
  auto handle = std::make_shared<detail::Handle>();
  handle->options = options;
  handle->opened = db::open_in_memory(
      storage::MemoryFiles::duplicates(descriptors.data, descriptors.region), options);
  return Database(std::move(handle));
}

std::optional<Database::Descriptors> Database::descriptors() const {
  const storage::MemoryFiles* files = require(handle_).opened.data().memory_files();
  if (files == nullptr) return std::nullopt;
  return Descriptors{files->data.get(), files->region.get()};
}

Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Snapshot Database::snapshot() const {
  const detail::Handle& handle = require(handle_);
  return detail::readable(handle.opened.store.get(), [&] {
    return detail::Access::make(detail::begin_snapshot(handle.opened, handle.options.verify));
  });
}

Transaction Database::begin() {
  const detail::Handle& handle = require_writable(handle_);
  return detail::readable(handle.opened.store.get(), [&] {
    return begin_with(handle, txn::WriterHold(*handle.opened.store));
  });
}

Transaction Database::begin(std::chrono::nanoseconds timeout) {
  const detail::Handle& handle = require_writable(handle_);
  return detail::readable(handle.opened.store.get(), [&] {
    return begin_with(handle, txn::WriterHold(*handle.opened.store, timeout));
  });
}

std::optional<Transaction> Database::try_begin() {
  const detail::Handle& handle = require_writable(handle_);
  return detail::readable(handle.opened.store.get(), [&]() -> std::optional<Transaction> {
    txn::WriterHold hold(*handle.opened.store, std::try_to_lock);
    if (!hold.holds()) return std::nullopt;
    return begin_with(handle, std::move(hold));
  });
}

std::optional<std::uint64_t> Database::wait_for_commit(std::uint64_t after,
                                                       std::chrono::nanoseconds timeout) const {
  const db::Opened& opened = require(handle_).opened;
  return detail::readable(opened.store.get(), [&]() -> std::optional<std::uint64_t> {
    const auto newest = opened.store ? txn::wait_for_commit(*opened.store, TxnId{after}, timeout)
                                     : txn::wait_for_commit(*opened.viewer, TxnId{after}, timeout);
    if (!newest) return std::nullopt;
    return newest->value;
  });
}

std::optional<std::string> Database::get(Bytes key) const {
  const Snapshot now = snapshot();
  const auto value = now.table().get(key);
  if (!value) return std::nullopt;
  const txn::File& file = detail::Access::state(now).snapshot.file();
  return detail::readable(&file, [&] { return std::optional{std::string(*value)}; });
}

void Database::put(Bytes key, Bytes value) {
  Transaction transaction = begin();
  transaction.table().put(key, value);
  transaction.commit();
}

bool Database::erase(Bytes key) {
  Transaction transaction = begin();
  const bool existed = transaction.table().erase(key);
  transaction.commit();
  return existed;
}

void Database::sync() {
  txn::Store& store = require_store(handle_);
  detail::readable(&store, [&] {
    store.require_healthy();
    txn::State state;
    while (!store.load_state(store.visible(), state)) store.require_readable();
    txn::flush_until(store, state.log_end);
  });
}

void Database::checkpoint() {
  txn::Store& store = *require_writable(handle_).opened.store;
  detail::readable(&store, [&] {
    store.require_in_place_now_and_then();
    txn::checkpoint(store);
  });
}

const std::filesystem::path& Database::path() const noexcept {
  return handle_->opened.data().path();
}

std::uint32_t Database::page_size_bytes() const noexcept {
  return handle_->opened.facts().page_bytes;
}

const detail::Handle& detail::Access::handle(const Database& database) {
  return require(database.handle_);
}

txn::Store& detail::Access::store(const Database& database) {
  return require_store(database.handle_);
}

detail::SnapshotState& detail::Access::state(const Snapshot& snapshot) {
  if (!snapshot.state_) throw Error(Errc::misuse, "used after it was moved from");
  db::require_own_process(snapshot.state_->kept);
  return *snapshot.state_;
}

}  // namespace quire
