#include <algorithm>

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include "compare/stores.h"

namespace compare {

namespace {

constexpr std::size_t kWriteBufferBytes = std::size_t{64} << 20;
constexpr std::uint64_t kLoadBatch = 1000;

void check(const leveldb::Status& status) { require(status.ok(), "leveldb: " + status.ToString()); }

leveldb::Slice slice_of(Bytes bytes) { return {bytes.data(), bytes.size()}; }
Bytes bytes_of(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

class LevelDbSession final : public Session {
 public:
  LevelDbSession(leveldb::DB& db, bool sync) : db_(db) { write_options_.sync = sync; }

  Seen get(std::span<const Bytes> keys, Scope) override {
    Seen seen;
    for (const Bytes key : keys) {
      if (look_up(key)) seen.value(value_);
    }
    return seen;
  }

  Seen get_copies(std::span<const Bytes> keys, std::span<char>) override {
    Seen seen;
    for (const Bytes key : keys) {
      if (!look_up(key)) continue;
      seen.value(value_);
    }
    return seen;
  }

  void snapshots(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) db_.ReleaseSnapshot(db_.GetSnapshot());
  }

  Seen scan(Direction direction, std::uint64_t count_max) override {
    Seen seen;
    const std::unique_ptr<leveldb::Iterator> at(db_.NewIterator({}));
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
    const std::unique_ptr<leveldb::Iterator> at(db_.NewIterator({}));
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
    leveldb::WriteBatch batch;
    for (const Entry& entry : entries) batch.Put(slice_of(entry.key), slice_of(entry.value));
    check(db_.Write(write_options_, &batch));
  }

  void erase(std::span<const Bytes> keys) override {
    leveldb::WriteBatch batch;
    for (const Bytes key : keys) batch.Delete(slice_of(key));
    check(db_.Write(write_options_, &batch));
  }

  void load(const Source& source) override {
    leveldb::WriteBatch batch;
    KeyBuffer buffer;
    for (std::uint64_t i = 0; i < source.entry_count();) {
      const std::uint64_t limit = std::min(i + kLoadBatch, source.entry_count());
      for (; i < limit; ++i) {
        const Entry entry = source.entry(i, buffer);
        batch.Put(slice_of(entry.key), slice_of(entry.value));
      }
      leveldb::WriteOptions options;
      options.sync = i == source.entry_count();
      check(db_.Write(options, &batch));
      batch.Clear();
    }
  }

 private:
  bool look_up(Bytes key) {
    const leveldb::Status status = db_.Get({}, slice_of(key), &value_);
    if (status.IsNotFound()) return false;
    check(status);
    return true;
  }

  leveldb::DB& db_;
  leveldb::WriteOptions write_options_;
  std::string value_;
};

class LevelDbStore final : public Store {
 public:
  explicit LevelDbStore(const Opening& opening)
      : sync_(opening.durability == Durability::full),
        filter_(leveldb::NewBloomFilterPolicy(10)),
        cache_(leveldb::NewLRUCache(static_cast<std::size_t>(
            std::clamp<std::uint64_t>(opening.data_bytes * 2, 64 << 20, std::uint64_t{3} << 30)))) {
    leveldb::Options options;
    options.create_if_missing = true;
    options.compression = leveldb::kNoCompression;
    options.filter_policy = filter_.get();
    options.block_cache = cache_.get();
    options.write_buffer_size = kWriteBufferBytes;
    options.max_file_size = kWriteBufferBytes;
    options.max_open_files = 10'000;
    leveldb::DB* db = nullptr;
    check(leveldb::DB::Open(options, opening.directory / "leveldb", &db));
    db_.reset(db);
  }
  std::unique_ptr<Session> session() override {
    return std::make_unique<LevelDbSession>(*db_, sync_);
  }

 private:
  bool sync_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<leveldb::DB> db_;
};

}  // namespace

Peer leveldb_peer() {
  return {.name = "leveldb",
          .settings = std::to_string(leveldb::kMajorVersion) + "." +
                      std::to_string(leveldb::kMinorVersion) +
                      "; Bloom filters of 10 bits, no compression, block cache of twice the data, "
                      "write buffer and files of 64 MiB; relaxed: without sync; load: batches of "
                      "1000",
          .open = [](const Opening& opening) -> std::unique_ptr<Store> {
            return std::make_unique<LevelDbStore>(opening);
          }};
}

}  // namespace compare
