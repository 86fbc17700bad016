#include <algorithm>

#include <tkrzw_dbm_tree.h>
#include <tkrzw_file_mmap.h>
#include <tkrzw_lib_common.h>

#include "compare/stores.h"

namespace compare {

namespace {

constexpr std::uint64_t kBytesOfAPage = 4000;  // of entries, about

void check(const tkrzw::Status& status) {
  require(status.IsOK(), "tkrzw: " + tkrzw::ToString(status));
}

class TkrzwSession final : public Session {
 public:
  TkrzwSession(tkrzw::TreeDBM& db, bool sync) : db_(db), sync_(sync) {}

  Seen get(std::span<const Bytes> keys, Scope) override {
    Seen seen;
    for (const Bytes key : keys) {
      if (look_up(key)) seen.value(value_);
    }
    return seen;
  }

  Seen get_copies(std::span<const Bytes> keys, std::span<char>) override {
    return get(keys, Scope::all);
  }

  void snapshots(std::uint64_t) override { require(false, "tkrzw has no snapshots"); }

  Seen scan(Direction direction, std::uint64_t count_max) override {
    const bool forward = direction == Direction::forward;
    Seen seen;
    const auto at = db_.MakeIterator();
    tkrzw::Status status = forward ? at->First() : at->Last();
    while (status.IsOK() && seen.entry_count < count_max && at->Get(&key_, &value_).IsOK()) {
      seen.entry(key_, value_);
      status = forward ? at->Next() : at->Previous();
    }
    return seen;
  }

  Seen ranges(std::span<const Bytes> starts, std::uint64_t length) override {
    Seen seen;
    const auto at = db_.MakeIterator();
    for (const Bytes start : starts) {
      tkrzw::Status status = at->Jump(start);
      for (std::uint64_t left = length; left > 0 && status.IsOK(); --left) {
        if (!at->Get(&key_, &value_).IsOK()) break;
        seen.entry(key_, value_);
        if (left > 1) status = at->Next();
      }
    }
    return seen;
  }

  void put(std::span<const Entry> entries) override {
    for (const Entry& entry : entries) check(db_.Set(entry.key, entry.value));
    if (sync_) check(db_.Synchronize(true));
  }

  void erase(std::span<const Bytes> keys) override {
    for (const Bytes key : keys) {
      const tkrzw::Status status = db_.Remove(key);
      if (status != tkrzw::Status::NOT_FOUND_ERROR) check(status);
    }
    if (sync_) check(db_.Synchronize(true));
  }

  void load(const Source& source) override {
    KeyBuffer buffer;
    for (std::uint64_t i = 0; i < source.entry_count(); ++i) {
      const Entry entry = source.entry(i, buffer);
      check(db_.Set(entry.key, entry.value));
    }
    check(db_.Synchronize(true));
  }

 private:
  bool look_up(Bytes key) {
    const tkrzw::Status status = db_.Get(key, &value_);
    if (status == tkrzw::Status::NOT_FOUND_ERROR) return false;
    check(status);
    return true;
  }

  tkrzw::TreeDBM& db_;
  bool sync_;
  std::string key_;
  std::string value_;
};

class TkrzwStore final : public Store {
 public:
  explicit TkrzwStore(const Opening& opening)
      : sync_(opening.durability == Durability::full),
        db_(std::make_unique<tkrzw::MemoryMapParallelFile>()) {
    const auto pages = static_cast<std::int64_t>(opening.data_bytes / kBytesOfAPage) + 1000;
    tkrzw::TreeDBM::TuningParameters parameters;
    parameters.num_buckets = pages * 2;
    parameters.max_cached_pages =
        static_cast<std::int32_t>(std::min<std::int64_t>(pages * 2, std::int64_t{1} << 20));
    check(db_.OpenAdvanced(opening.directory / "data.tkt", true, tkrzw::File::OPEN_DEFAULT,
                           parameters));
  }
  ~TkrzwStore() override { db_.Close(); }
  std::unique_ptr<Session> session() override { return std::make_unique<TkrzwSession>(db_, sync_); }
  void settle() override { check(db_.Synchronize(true)); }

 private:
  bool sync_;
  tkrzw::TreeDBM db_;
};

}  // namespace

Peer tkrzw_peer() {
  return {.name = "tkrzw",
          .settings = std::string(tkrzw::PACKAGE_VERSION) +
                      "; TreeDBM, no transactions, all pages cached, buckets for twice as many; "
                      "durable: Synchronize(true); no snapshots, and its iterator does not go "
                      "back all the way",
          .cannot = {"snapshot", "scan-back"},
          .open = [](const Opening& opening) -> std::unique_ptr<Store> {
            return std::make_unique<TkrzwStore>(opening);
          }};
}

}  // namespace compare
