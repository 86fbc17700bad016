// Random operations on a database and on a model of it, which must agree at every step.
#include "reference/model.h"

#include <quire/quire.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reference/inputs.h"
#include "reference/pair_operations.h"
#include "reference/updates.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

// $QUIRE_MODEL_OPERATIONS overrules the number of operations of each run.
std::uint64_t operation_count(std::uint64_t usual) {
  if (const char* given = std::getenv("QUIRE_MODEL_OPERATIONS")) {
    return std::strtoull(given, nullptr, 10);
  }
  return rounds(usual, usual / 20);
}

// One random run. Each step is a function of the seed alone, so the seed replays it.
class RandomRun {
 public:
  RandomRun(const std::filesystem::path& file, const Shape& shape, std::uint64_t seed)
      : file_(file), shape_(shape), random_(seed), operations_(operation_count(shape.operations)) {
    open();
  }

  void all() {
    while (done_ < operations_ && !::testing::Test::HasFailure()) {
      transaction();
      between();
    }
    held_.clear();
    expect_equal(db_->snapshot(), committed_);
    expect_sound(*db_);
    open();
    expect_equal(db_->snapshot(), committed_);
  }

 private:
  struct Held {
    Snapshot snapshot;
    Model model;
  };
  struct Open {
    Savepoint savepoint;
    Model model;
  };

  // Closes, if open, and opens. Held snapshots keep the instance alive, sometimes.
  void open() {
    if (random_.one_in(2)) held_.clear();
    db_.reset();
    db_.emplace(file_, Options{.page_size = shape_.page_bytes, .durability = Durability::relaxed});
  }

  std::string name() { return inputs_.name(); }
  std::string key() { return inputs_.key(); }
  std::string short_key(std::size_t size_bytes) { return inputs_.short_key(size_bytes); }
  std::string value() { return inputs_.value(); }

  void transaction() {
    Transaction tx = db_->begin();
    working_ = committed_;
    std::uint64_t length = 1;
    while (length < 2000 && !random_.one_in(3)) length *= 3;
    open_.clear();
    for (std::uint64_t i = 0; i < length && !::testing::Test::HasFailure(); ++i, ++done_) {
      if (random_.one_in(40)) move_savepoints(tx);
      operation(tx);
    }
    if (random_.one_in(2)) end_savepoints();
    switch (random_.below(8)) {
      case 0:
        tx.rollback();
        return;
      case 1:
        return;
      case 2:
        tx.commit(Durability::full);
        break;
      default:
        tx.commit();
    }
    committed_ = working_;
  }

  // Opens a savepoint, or releases or rolls back one of those that are open, whichever.
  void move_savepoints(Transaction& tx) {
    if (open_.empty() || (open_.size() < 8 && random_.one_in(2))) {
      open_.push_back({tx.savepoint(), working_});
      return;
    }
    const auto at = open_.begin() + static_cast<std::ptrdiff_t>(random_.below(open_.size()));
    if (random_.one_in(2)) {
      at->savepoint.release();
      open_.erase(at, open_.end());
      return;
    }
    at->savepoint.rollback();
    working_ = at->model;
    open_.erase(at + 1, open_.end());
  }

  // What was not released is undone.
  void end_savepoints() {
    for (; !open_.empty(); open_.pop_back()) working_ = open_.back().model;
  }

  void operation(Transaction& tx) {
    if (random_.one_in(4)) return pair_operation(tx);
    const std::string in = name();
    if (working_.is_multimap(in)) {
      EXPECT_EQ(errc_of([&] { tx.table(in); }), Errc::misuse);
      return pairs_.one(tx, working_, in);
    }
    Table table = tx.table(in);
    switch (random_.below(40)) {
      case 0:
        return walk(table, working_.table(in));
      case 1:
      case 2:
        return erase_at_cursor(table, in);
      case 3:
        EXPECT_EQ(table.size(), working_.table(in).size());
        EXPECT_EQ(table.estimate(""), table.size());
        return;
      case 4:
        if (random_.one_in(30)) empty_table(tx, table, in);
        if (random_.one_in(6)) erase_range(table, in);
        return;
      case 5:
        return insert(table, in);
      case 6:
        if (random_.one_in(8)) return put_run(tx, table, in);
        if (random_.one_in(8)) return put_shower(tx, table, in);
        return updates_.one(table, working_, in);
      case 7:
      case 8:
      case 9:
        return look_up(table, working_.table(in));
      default:
        return random_.below(shrinking_ ? 3 : 5) < 2 ? erase(table, in) : put(table, in);
    }
  }

  void pair_operation(Transaction& tx) {
    static const std::vector<std::string> names = {"m", "m", "n", "a"};
    const std::string in = names[random_.below(names.size())];
    if (working_.exists(in)) {
      EXPECT_EQ(errc_of([&] { tx.multimap(in); }), Errc::misuse);
    } else {
      pairs_.one(tx, working_, in);
    }
  }

  void put(Table& table, const std::string& in) {
    const std::string k = key();
    const std::string v = value();
    table.put(k, v);
    working_.change(in)[k] = v;
  }

  // Keys in order, behind all others when not the first time; now and then something else between.
  void put_run(Transaction& tx, Table& table, const std::string& in) {
    if (in_run_) return;
    in_run_ = true;
    std::uint64_t number = random_.below(6000);
    for (std::uint64_t left = random_.between(30, 400); left > 0; --left, ++number) {
      const std::string k = std::string(4, '\xff') + big_endian(number);
      const std::string v = random_.one_in(100) ? value() : pattern(random_.below(100), number);
      if (random_.one_in(2)) {
        table.put(k, v);
      } else if (!table.insert(k, v)) {
        ASSERT_TRUE(working_.table(in).contains(k));
        continue;
      }
      working_.change(in)[k] = v;
      if (random_.one_in(100)) operation(tx);
    }
    in_run_ = false;
  }

  // Puts in no order, with nothing between them for long: they wait in memory.
  void put_shower(Transaction& tx, Table& table, const std::string& in) {
    if (in_run_) return;
    in_run_ = true;
    for (std::uint64_t left = random_.between(50, 600); left > 0; --left) {
      const std::string k = random_.one_in(4) ? big_endian(random_.below(1000)) : key();
      const std::string v = random_.one_in(200) ? value() : pattern(random_.below(100), left);
      table.put(k, v);
      working_.change(in)[k] = v;
      if (random_.one_in(200)) operation(tx);
    }
    in_run_ = false;
  }

  void insert(Table& table, const std::string& in) {
    const std::string k = key();
    const std::string v = value();
    const bool is_new = !working_.table(in).contains(k);
    EXPECT_EQ(table.insert(k, v), is_new);
    if (is_new) working_.change(in)[k] = v;
  }

  void erase(Table& table, const std::string& in) {
    const std::string k = key();
    const bool there = working_.table(in).contains(k);
    EXPECT_EQ(table.erase(k), there);
    if (there) working_.change(in).erase(k);
  }

  // By its key, or through the cursor; or its value changes.
  void erase_at_cursor(Table& table, const std::string& in) {
    const Cursor at = table.lower_bound(key());
    if (at == table.end()) return;
    const std::string k{at.key()};
    if (random_.one_in(3)) {
      const std::string v = value();
      const Cursor after = table.put(at, v);
      working_.change(in)[k] = v;
      return expect_at(table, after, working_.table(in), working_.table(in).find(k));
    }
    if (random_.one_in(2)) {
      EXPECT_TRUE(table.erase(at.key()));
      EXPECT_EQ(working_.change(in).erase(k), 1u);
      return;
    }
    const Cursor after = table.erase(at);
    EXPECT_EQ(working_.change(in).erase(k), 1u);
    expect_at(table, after, working_.table(in), working_.table(in).lower_bound(k));
  }

  // Short ones and long ones; with a limit, without, or of all with a prefix.
  void erase_range(Table& table, const std::string& in) {
    if (!working_.exists(in)) {
      EXPECT_EQ(table.erase_prefix(""), 0u);
      return;
    }
    Model::Table& model = working_.change(in);
    const std::string first = key();
    auto from = model.lower_bound(first);
    auto to = model.end();
    std::uint64_t erased = 0;
    if (random_.one_in(3)) {
      const std::string prefix = first.substr(0, random_.between(1, 6));
      from = to = model.lower_bound(prefix);
      while (to != model.end() && to->first.starts_with(prefix)) ++to;
      erased = table.erase_prefix(prefix);
    } else if (random_.one_in(20)) {
      erased = table.erase(Range{table.lower_bound(first), table.end()});
    } else {
      const std::string limit = random_.one_in(3) ? key() : first + short_key(3);
      to = limit < first ? from : model.lower_bound(limit);
      erased = table.erase(first, limit);
    }
    EXPECT_EQ(erased, static_cast<std::uint64_t>(std::distance(from, to)));
    model.erase(from, to);
  }

  void empty_table(Transaction& tx, Table& table, const std::string& in) {
    if (in.empty() || random_.one_in(2)) {
      table.clear();
      if (working_.exists(in)) working_.change(in).clear();
    } else {
      EXPECT_EQ(tx.drop(in), working_.drop(in));
    }
    if (!in.empty() && !working_.exists(in)) return;
    EXPECT_TRUE(table.empty());
  }

  void look_up(const TableView& table, const Model::Table& model) {
    const std::string k = key();
    const auto at = model.find(k);
    const std::optional<Bytes> got = table.get(k);
    ASSERT_EQ(got.has_value(), at != model.end());
    if (got) {
      ASSERT_TRUE(*got == at->second);
    }
    EXPECT_EQ(table.contains(k), got.has_value());
    std::vector<std::string> keys;
    for (std::uint64_t left = random_.below(20); left > 0; --left) keys.push_back(key());
    const std::vector<Bytes> asked(keys.begin(), keys.end());
    std::vector<std::optional<Bytes>> values(keys.size());
    table.get_many(asked, values);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto known = model.find(keys[i]);
      ASSERT_EQ(values[i].has_value(), known != model.end());
      if (values[i]) {
        ASSERT_TRUE(*values[i] == known->second);
      }
    }
    expect_at(table, table.find(k), model, at);
    expect_at(table, table.lower_bound(k), model, model.lower_bound(k));
    expect_at(table, table.upper_bound(k), model, model.upper_bound(k));
  }

  void expect_at(const TableView& table, const Cursor& cursor, const Model::Table& model,
                 Model::Table::const_iterator at) {
    ASSERT_EQ(cursor == table.end(), at == model.end());
    if (at == model.end()) return;
    EXPECT_EQ(cursor.key(), at->first);
    EXPECT_TRUE(cursor.value() == at->second);
  }

  // A random walk of a cursor, and a range or prefix of the table.
  void walk(const TableView& table, const Model::Table& model) {
    const std::string from = key();
    Cursor cursor = table.lower_bound(from);
    auto at = model.lower_bound(from);
    for (int step = 0; step < 30; ++step) {
      if (random_.one_in(3) ? at != model.begin() : at == model.end() && !model.empty()) {
        --at;
        --cursor;
      } else if (at != model.end()) {
        ++at;
        ++cursor;
      }
      expect_at(table, cursor, model, at);
      if (::testing::Test::HasFailure()) return;
    }
    const std::string limit = key();
    expect_range(table.range(from, limit), model.lower_bound(from),
                 limit <= from ? model.lower_bound(from) : model.lower_bound(limit));
    const std::string start = from.substr(0, random_.below(4));
    auto last = model.lower_bound(start);
    while (last != model.end() && last->first.starts_with(start)) ++last;
    expect_range(table.prefix(start), model.lower_bound(start), last);
  }

  void expect_range(const Range& range, Model::Table::const_iterator first,
                    Model::Table::const_iterator limit) {
    for (auto [key, value] : range) {
      ASSERT_NE(first, limit);
      ASSERT_EQ(key, first->first);
      ASSERT_TRUE(value == first->second);
      ++first;
    }
    ASSERT_EQ(first, limit);
  }

  void expect_equal(const Snapshot& snapshot, const Model& model) {
    EXPECT_EQ(snapshot.tables(), model.names());
    std::vector<std::string> names = model.names();
    names.emplace_back();
    for (const std::string& in : names) {
      if (model.is_multimap(in)) {
        PairOperations::expect_equal(snapshot.multimap(in), model.pairs(in));
        continue;
      }
      const TableView table = snapshot.table(in);
      EXPECT_EQ(table.size(), model.table(in).size());
      expect_range({table.begin(), table.end()}, model.table(in).begin(), model.table(in).end());
    }
  }

  // What happens between transactions.
  void between() {
    if (random_.one_in(20)) held_.push_back({db_->snapshot(), committed_});
    if (held_.size() > 4 || (random_.one_in(30) && !held_.empty())) {
      const auto at = static_cast<long>(random_.below(held_.size()));
      expect_equal(held_[static_cast<std::size_t>(at)].snapshot,
                   held_[static_cast<std::size_t>(at)].model);
      held_.erase(held_.begin() + at);
    }
    if (random_.one_in(40)) db_->checkpoint();
    if (random_.one_in(30)) db_->sync();
    if (random_.one_in(100)) open();
    if (random_.one_in(150)) expect_equal(db_->snapshot(), committed_);
    if (random_.one_in(150)) expect_sound(*db_);
    if (random_.one_in(200)) shrinking_ = !shrinking_;
  }

  std::filesystem::path file_;
  Shape shape_;
  Random random_;
  Inputs inputs_{random_, shape_};
  Updates updates_{random_, inputs_};
  PairOperations pairs_{random_, shape_.page_bytes};
  std::uint64_t operations_;
  std::uint64_t done_ = 0;
  bool shrinking_ = false;
  bool in_run_ = false;
  std::optional<Database> db_;
  Model committed_;
  Model working_;
  std::vector<Held> held_;
  std::vector<Open> open_;  // savepoints, the newest last
};

class AgreesWithMap : public DatabaseTest {
 protected:
  void run(const char* test, const Shape& shape) {
    const std::uint64_t seed = choose_seed(test);
    RandomRun{file_, shape, seed}.all();
    if (HasFailure()) ADD_FAILURE() << test << ": replay with QUIRE_SEED=" << seed;
  }
};

TEST_F(AgreesWithMap, WithPagesOf4KiB) { run("4 KiB", {4096, 500'000, 4 << 20}); }
TEST_F(AgreesWithMap, WithPagesOf16KiB) { run("16 KiB", {16384, 300'000, 4 << 20}); }
TEST_F(AgreesWithMap, WithPagesOf64KiB) { run("64 KiB", {65536, 200'000, 4 << 20}); }

}  // namespace
}  // namespace quire::test
