#include <algorithm>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>

#include "compare/stores.h"

namespace compare {

namespace {

constexpr std::size_t kWriteBufferBytes = std::size_t{64} << 20;
constexpr std::uint64_t kLoadBatch = 1000;
constexpr int kThreads = 2;

void check(const rocksdb::Status& status) { require(status.ok(), "rocksdb: " + status.ToString()); }

rocksdb::Slice slice_of(Bytes bytes) { return {bytes.data(), bytes.size()}; }
Bytes bytes_of(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class RocksDbSession final : public Session {
 public:
  RocksDbSession(rocksdb::DB& db, bool sync) : db_(db) { write_options_.sync = sync; }

  Seen get(std::span<const Bytes> keys, Scope) override {
    Seen seen;
    for (const Bytes key : keys) {
      if (look_up(key)) seen.value(bytes_of(value_));
    }
    return seen;
  }

  Seen get_many(std::span<const Bytes> keys, std::size_t batch) override {
    Seen seen;
    std::vector<rocksdb::Slice> slices(batch);
    std::vector<rocksdb::PinnableSlice> values(batch);
    std::vector<rocksdb::Status> statuses(batch);
    while (!keys.empty()) {
      const std::size_t count = std::min(batch, keys.size());
      std::transform(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(count),
                     slices.begin(), slice_of);
      db_.MultiGet({}, db_.DefaultColumnFamily(), count, slices.data(), values.data(),
                   statuses.data());
      for (std::size_t i = 0; i < count; ++i) {
        if (statuses[i].ok()) seen.value(bytes_of(values[i]));
        values[i].Reset();
      }
      keys = keys.subspan(count);
    }
    return seen;
  }

  Seen get_copies(std::span<const Bytes> keys, std::span<char> copy) override {
    Seen seen;
    for (const Bytes key : keys) {
      if (!look_up(key)) continue;
      seen.copy(bytes_of(value_), copy);
    }
    return seen;
  }

  void snapshots(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) db_.ReleaseSnapshot(db_.GetSnapshot());
  }

  Seen scan(Direction direction, std::uint64_t count_max) override {
    Seen seen;
    const std::unique_ptr<rocksdb::Iterator> at(db_.NewIterator({}));
    if (direction == Direction::forward) {
      for (at->SeekToFirst(); at->Valid() && seen.entry_count < count_max; at->Next()) {
        seen.entry(bytes_of(at->key()), bytes_of(at->value()));
      }
    } else {
      for (at->SeekToLast(); at->Valid() && seen.entry_count < count_max; at->Prev()) {
        seen.entry(bytes_of(at->key()), bytes_of(at->value()));
      }
    }
    check(at->status());
    return seen;
  }

  Seen ranges(std::span<const Bytes> starts, std::uint64_t length) override {
    Seen seen;
    const std::unique_ptr<rocksdb::Iterator> at(db_.NewIterator({}));
    for (const Bytes start : starts) {
      std::uint64_t left = length;
      for (at->Seek(slice_of(start)); left > 0 && at->Valid(); --left) {
        seen.entry(bytes_of(at->key()), bytes_of(at->value()));
        if (left > 1) at->Next();
      }
    }
    check(at->status());
    return seen;
  }

  void put(std::span<const Entry> entries) override {
    if (entries.size() == 1) {
      check(db_.Put(write_options_, slice_of(entries[0].key), slice_of(entries[0].value)));
      return;
    }
    rocksdb::WriteBatch batch;
    for (const Entry& entry : entries) {
      check(batch.Put(slice_of(entry.key), slice_of(entry.value)));
    }
    check(db_.Write(write_options_, &batch));
  }

  void erase(std::span<const Bytes> keys) override {
    rocksdb::WriteBatch batch;
    for (const Bytes key : keys) check(batch.Delete(slice_of(key)));
    check(db_.Write(write_options_, &batch));
  }

  void load(const Source& source) override {
    rocksdb::WriteBatch batch;
    KeyBuffer buffer;
    for (std::uint64_t i = 0; i < source.entry_count();) {
      const std::uint64_t limit = std::min(i + kLoadBatch, source.entry_count());
      for (; i < limit; ++i) {
        const Entry entry = source.entry(i, buffer);
        check(batch.Put(slice_of(entry.key), slice_of(entry.value)));
      }
      rocksdb::WriteOptions options;
      options.sync = i == source.entry_count();
      check(db_.Write(options, &batch));
      batch.Clear();
    }
  }

 private:
  bool look_up(Bytes key) {
    value_.Reset();
    const rocksdb::Status status = db_.Get({}, db_.DefaultColumnFamily(), slice_of(key), &value_);
    if (status.IsNotFound()) return false;
    check(status);
    return true;
  }

  rocksdb::DB& db_;
  rocksdb::WriteOptions write_options_;
  rocksdb::PinnableSlice value_;
};

rocksdb::Options options_for(const Opening& opening) {
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(static_cast<std::size_t>(
      std::clamp<std::uint64_t>(opening.data_bytes * 2, 64 << 20, std::uint64_t{3} << 30)));
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.IncreaseParallelism(kThreads);
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_background_jobs = kThreads;
  options.level_compaction_dynamic_level_bytes = true;
  options.bytes_per_sync = 1 << 20;
  options.recycle_log_file_num = 2;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksDbStore final : public Store {
 public:
  explicit RocksDbStore(const Opening& opening) : sync_(opening.durability == Durability::full) {
    rocksdb::DB* db = nullptr;
    check(rocksdb::DB::Open(options_for(opening), opening.directory / "rocksdb", &db));
    db_.reset(db);
  }
  std::unique_ptr<Session> session() override {
    return std::make_unique<RocksDbSession>(*db_, sync_);
  }

 private:
  bool sync_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

Peer rocksdb_peer() {
  return {.name = "rocksdb",
          .settings = rocksdb::GetRocksVersionAsString() +
                      "; Bloom filters of 10 bits, hash index in blocks, no compression, block "
                      "cache of twice the data, write buffers of 64 MiB, 2 background jobs, "
                      "recycled logs, MultiGet; relaxed: without sync; load: batches of 1000",
          .open = [](const Opening& opening) -> std::unique_ptr<Store> {
            return std::make_unique<RocksDbStore>(opening);
          }};
}

}  // namespace compare
