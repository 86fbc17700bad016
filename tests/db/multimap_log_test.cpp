// What the log says of multimaps: not before the metas do, and nothing that makes no sense.
#include <quire/quire.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "format/meta.h"
#include "format/record.h"
#include "log/log.h"
#include "support/database_test.h"
#include "support/metas.h"

namespace quire::test {
namespace {

using format::Operation;
using format::OperationKind;
using PairList = std::vector<std::pair<std::string, std::string>>;

// The log in the bytes of a file.
struct FileLog {
  explicit FileLog(std::string& file)
      : meta(format::choose(meta_of(file, 0), meta_of(file, 1)).meta) {
    auto* const at = reinterpret_cast<std::byte*>(file.data()) +
                     std::uint64_t{meta.log.first_page} * meta.page_bytes;
    ring.read = ring.memory = at;
    ring.size_bytes = std::uint64_t{meta.log.page_count} * meta.page_bytes;
    ring.seed = meta.checksum_seed;
  }

  log::Tail start() const { return {Lsn{meta.log_start}, meta.log_chain}; }

  // Of all operations since the checkpoint.
  std::vector<OperationKind> kinds() const {
    std::vector<OperationKind> all;
    log::Scanner scanner(ring, start(), meta.epoch, TxnId{meta.txn});
    while (const format::RecordHeader* record = scanner.next()) {
      format::OperationReader operations(log::payload_of(record));
      for (Operation operation; operations.next(operation);) all.push_back(operation.kind);
    }
    return all;
  }

  const format::Meta meta;
  log::Ring ring;
};

bool has(const std::vector<OperationKind>& kinds, OperationKind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

PairList pairs(const Database& database, Bytes name) {
  const Snapshot now = database.snapshot();
  PairList all;
  for (const auto& [key, value] : now.multimap(name)) all.emplace_back(key, value);
  return all;
}

class MultimapLog : public DatabaseTest {
 protected:
  // A version that knows no multimaps takes such an operation for damage, unless a bit in the metas
  // has kept it out.
  void expect_safe_for_older_versions() const {
    std::string file = read_file(file_);
    const FileLog logged(file);
    if ((logged.meta.incompat & format::kIncompatMultimaps) != 0) return;
    for (const OperationKind kind : logged.kinds()) EXPECT_LT(kind, OperationKind::create_multimap);
  }

  bool is_logged(OperationKind kind) const {
    std::string file = read_file(file_);
    return has(FileLog(file).kinds(), kind);
  }
};

TEST_F(MultimapLog, NamesNoneBeforeTheMetasDo) {
  Database db{file_};
  db.write([](Transaction& tx) { tx.table().put("a", "1"); });
  EXPECT_TRUE(is_logged(OperationKind::put));
  db.write([](Transaction& tx) {
    tx.multimap("map").insert("a", "b");
    tx.drop("map");
    tx.table().put("b", "2");
  });
  expect_safe_for_older_versions();
  db.write([](Transaction& tx) {
    tx.multimap("map").insert("a", "b");
    tx.drop("map");
    tx.table("map").put("c", "3");
  });
  expect_safe_for_older_versions();
  db.write([](Transaction& tx) {
    Savepoint savepoint = tx.savepoint();
    tx.multimap("other").insert("a", "b");
    savepoint.rollback();
    tx.table().put("d", "4");
  });
  expect_safe_for_older_versions();
  Transaction tx = db.begin();
  tx.nested([](Transaction& part) { part.multimap("kept").insert("a", "b"); });
  tx.commit(Durability::relaxed);
  expect_safe_for_older_versions();
  db.write([](Transaction& next) { next.multimap("kept").insert("a", "c"); });
  expect_safe_for_older_versions();
  EXPECT_TRUE(is_logged(OperationKind::insert_pair));
}

// A closed file with a record behind its last one that nobody has committed.
class CraftedMultimapLog : public MultimapLog {
 protected:
  static constexpr std::uint32_t kTable = 1;
  static constexpr std::uint32_t kMap = 2;

  void SetUp() override {
    skip_final_check();
    {
      Database db{file_};
      db.write([](Transaction& tx) {
        tx.table("table").put("key", "value");
        Multimap map = tx.multimap("map");
        for (const char* key : {"a", "b", "c"}) {
          map.insert(key, "1");
          map.insert(key, "2");
        }
      });
    }
    whole_ = read_file(file_);
  }

  static std::vector<std::byte> payload_of(const std::vector<Operation>& operations) {
    std::vector<std::byte> payload;
    for (const Operation& operation : operations) format::append_operation(payload, operation);
    return payload;
  }

  // The record proves itself, whatever is in it.
  void append(const std::vector<std::byte>& payload) const {
    std::string file = whole_;
    const FileLog target(file);
    format::RecordHeader header;
    header.epoch = target.meta.epoch;
    header.txn = target.meta.txn + 1;
    header.previous_txn = target.meta.txn;
    std::vector<std::byte> record(sizeof header);
    record.insert(record.end(), payload.begin(), payload.end());
    log::append(target.ring, target.start(), header, record);
    std::filesystem::remove(lock_file_of(file_));
    write_file(file_, file);
  }

  void expect_payload_refused(const std::vector<std::byte>& payload,
                              const std::string& reason) const {
    append(payload);
    EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::corrupt) << reason;
    const std::string text = text_of([&] { Database{file_}; });
    EXPECT_NE(text.find(file_.filename().string() + ": log position "), std::string::npos) << text;
    EXPECT_NE(text.find(reason), std::string::npos) << text;
  }

  void expect_refused(const Operation& operation, const std::string& reason) const {
    expect_payload_refused(payload_of({operation}), reason);
  }

  std::string whole_;
};

TEST_F(CraftedMultimapLog, IsReplayedWhenItMakesSense) {
  append(payload_of(
      {{.kind = OperationKind::create_multimap, .table_id = 3, .key = "new"},
       {.kind = OperationKind::insert_pair, .table_id = 3, .key = "x", .value = "y"},
       {.kind = OperationKind::insert_pair, .table_id = kMap, .key = "d", .value = "1"},
       {.kind = OperationKind::erase_pair, .table_id = kMap, .key = "c", .value = "2"},
       {.kind = OperationKind::erase_pair, .table_id = kMap, .key = "c", .value = "absent"},
       {.kind = OperationKind::erase_range, .table_id = kMap, .key = "b", .value = "c"}}));
  Database db{file_};
  EXPECT_EQ(pairs(db, "map"), (PairList{{"a", "1"}, {"a", "2"}, {"c", "1"}, {"d", "1"}}));
  EXPECT_EQ(pairs(db, "new"), (PairList{{"x", "y"}}));
  expect_sound(db);
}

TEST_F(CraftedMultimapLog, OnTablesThatAreMissingOrOfAnotherKindIsRefused) {
  for (const OperationKind kind : {OperationKind::insert_pair, OperationKind::erase_pair}) {
    const auto on = [&](std::uint32_t table_id) {
      return Operation{.kind = kind, .table_id = table_id, .key = "k", .value = "v"};
    };
    expect_refused(on(77), "an operation on table 77, which does not exist");
    expect_refused(on(kTable), "an operation on a table of another kind");
    expect_refused(on(0), "an operation on a table of another kind");
  }
  expect_refused({.kind = OperationKind::put, .table_id = kMap, .key = "k", .value = "v"},
                 "an operation on a table of another kind");
  for (const OperationKind kind :
       {OperationKind::erase, OperationKind::clear, OperationKind::erase_range}) {
    expect_refused({.kind = kind, .table_id = UINT32_MAX, .key = "k"}, "which does not exist");
  }
}

TEST_F(CraftedMultimapLog, OfPairsAndRangesThatCannotBeIsRefused) {
  const std::string longest(key_bytes_max(4096), 'k');
  const std::string longer = longest + "k";
  const std::string twice_longer = longer + "k";
  expect_refused(
      {.kind = OperationKind::insert_pair, .table_id = kMap, .key = longer, .value = "v"},
      "an entry that no page can hold");
  expect_refused(
      {.kind = OperationKind::insert_pair, .table_id = kMap, .key = "k", .value = longer},
      "a pair that no page can hold");
  expect_refused({.kind = OperationKind::erase_pair, .table_id = kMap, .key = "k", .value = longer},
                 "a pair that no page can hold");
  const std::string reason = "a range that cannot be is erased";
  const auto range = [&](const std::string& first, const std::string& limit) {
    return Operation{
        .kind = OperationKind::erase_range, .table_id = kMap, .key = first, .value = limit};
  };
  const std::string b = "b";
  const std::string a = "a";
  expect_refused(range(b, a), reason);
  expect_refused(range(b, b), reason);
  expect_refused(range(a, twice_longer), reason);
  expect_refused(range(twice_longer, ""), reason);
}

TEST_F(CraftedMultimapLog, ThatMakesOrDropsWhatItMayNotIsRefused) {
  const auto create = [](std::uint32_t table_id, Bytes name) {
    return Operation{.kind = OperationKind::create_multimap, .table_id = table_id, .key = name};
  };
  const std::string long_name(kTableNameBytesMax + 1, 'n');
  expect_refused(create(3, ""), "a table whose name is empty or too long");
  expect_refused(create(3, long_name), "a table whose name is empty or too long");
  expect_refused(create(3, "map"), "a table that exists is created");
  expect_refused(create(3, "table"), "a table that exists is created");
  expect_refused(create(kMap, "new"), "a table that exists is created");
  expect_refused(create(0, "new"), "a table that exists is created");
  expect_refused({.kind = OperationKind::drop, .table_id = kMap, .key = "table"},
                 "a table that does not exist is dropped");
}

TEST_F(CraftedMultimapLog, ThatIsCutIsRefusedAtEveryLength) {
  const std::string reason = "the record is whole but its operations make no sense";
  for (const OperationKind kind : {OperationKind::insert_pair, OperationKind::erase_range}) {
    const std::vector<std::byte> whole =
        payload_of({{.kind = kind, .table_id = kMap, .key = "key", .value = "value"}});
    for (std::size_t size = 1; size < whole.size(); ++size) {
      const auto end = whole.begin() + static_cast<std::ptrdiff_t>(size);
      expect_payload_refused(std::vector<std::byte>(whole.begin(), end), reason);
    }
  }
  std::vector<std::byte> unknown =
      payload_of({{.kind = OperationKind::erase_pair, .table_id = kMap, .key = "key"}});
  unknown[0] = std::byte{11};
  expect_payload_refused(unknown, reason);
}

}  // namespace
}  // namespace quire::test
