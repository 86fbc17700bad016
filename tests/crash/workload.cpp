#include "crash/workload.h"

#include <array>
#include <utility>

namespace quire::crash {
namespace {

constexpr std::uint64_t kKeys = 8;
constexpr std::size_t kSmallValueBytes[] = {5, 40, 700};
constexpr std::size_t kLargeValueBytes = 9000;  // an extent of three pages
constexpr std::size_t kHugeValueBytes = 300'000;
constexpr std::uint64_t kWrapCommits = 4;
constexpr std::size_t kEntryValueBytes = 900;
constexpr std::uint64_t kWrapPuts = 12;  // four such records fill 2/3 of the log
constexpr std::uint64_t kFirstEntry = 100;
constexpr std::uint64_t kDetourEvery = 5;
// A quarter of a page holds less: the values become a tree, and a set again when most of them go.
constexpr std::uint64_t kPairKeys = 2;
constexpr std::uint64_t kPairsAtOnce = 12;
constexpr std::size_t kPairValueBytes = 60;
constexpr std::uint64_t kPairsMax = 30;
constexpr std::uint64_t kPairsKept = 5;
constexpr std::uint64_t kBulkPuts = 90;  // more than the log holds
// About as many crash points as a process passes from its start to the end of such a step.
constexpr std::uint64_t kPointsOfPut = 50;
constexpr std::uint64_t kPointsOfBulk = 300;
constexpr std::uint64_t kPointsOfCheckpoint = 28;
constexpr std::uint64_t kNeverKilled = 1'000'000;  // at a number of crash points
constexpr std::uint64_t kRoundsToSweep = 7;        // of such a step, to take 128 pages

constexpr std::array<const char*, kStepCount> kNames = {
    "put",  "put_relaxed", "erase",     "large", "large_relaxed",    "table",  "drop",
    "grow", "checkpoint",  "wrap",      "bulk",  "rollback",         "reader", "reopen",
    "kill", "disk_error",  "full_disk", "death", "late_publication", "pairs"};

void carry_out(const Edits& edits, Transaction& transaction) {
  for (const Edit& edit : edits) {
    if (edit.what == Edit::What::new_pair) {
      transaction.multimap(edit.table).insert(*edit.key, *edit.value);
    } else if (edit.what == Edit::What::old_pair) {
      transaction.multimap(edit.table).erase(*edit.key, *edit.value);
    } else if (edit.what == Edit::What::keys_of_pairs) {
      transaction.multimap(edit.table).erase_keys(*edit.key, *edit.limit);
    } else if (!edit.key) {
      transaction.drop(edit.table);
    } else if (edit.limit) {
      transaction.table(edit.table).erase(*edit.key, *edit.limit);
    } else if (!edit.value) {
      transaction.table(edit.table).erase(*edit.key);
    } else {
      transaction.table(edit.table).put(*edit.key, *edit.value);
    }
  }
}

void carry_out(const Edits& edits, Model& model) {
  for (const Edit& edit : edits) {
    if (edit.what == Edit::What::new_pair) {
      model.change_pairs(edit.table)[*edit.key].insert(*edit.value);
    } else if (edit.what == Edit::What::old_pair) {
      model.change_pairs(edit.table)[*edit.key].erase(*edit.value);
    } else if (edit.what == Edit::What::keys_of_pairs) {
      Model::Pairs& pairs = model.change_pairs(edit.table);
      pairs.erase(pairs.lower_bound(*edit.key), pairs.lower_bound(*edit.limit));
    } else if (!edit.key) {
      model.drop(edit.table);
    } else if (edit.limit) {
      Model::Table& table = model.change(edit.table);
      table.erase(table.lower_bound(*edit.key), table.lower_bound(*edit.limit));
    } else if (!edit.value) {
      model.change(edit.table).erase(*edit.key);
    } else {
      model.change(edit.table)[*edit.key] = *edit.value;
    }
  }
}

// What is undone leaves nothing, whatever becomes of the rest.
void make_detour(Transaction& transaction) {
  const Savepoint undone = transaction.savepoint();
  transaction.table().put("never", std::string(kLargeValueBytes, 'n'));
  transaction.table("never").put("never", "");
  transaction.table().erase("key", "z");
}

bool is_error_of_the_disk(const Error& error) {
  return error.code() == Errc::poisoned || error.code() == Errc::io;
}

}  // namespace

const char* name_of(Step step) noexcept { return kNames[static_cast<std::size_t>(step)]; }

std::string names_of(std::span<const Step> steps) {
  std::string names;
  for (const Step step : steps) names += (names.empty() ? "" : " ") + std::string{name_of(step)};
  return names;
}

Actor::Actor(Machine& machine, History& history, std::uint64_t first_number, const Random& random)
    : machine_(machine), history_(history), number_(first_number), random_(random) {}

Actor::~Actor() = default;

void Actor::take(Step step) {
  try {
    perform(step);
  } catch (const Error& error) {
    if (!is_error_of_the_disk(error)) throw;
    insist();
    restart_after_error();
  }
  expect_reader_unchanged();
}

// Some applications go on after an error. Whatever they are still promised has to hold.
void Actor::insist() {
  const bool is_closed = !machine_.is_open();
  if (is_closed || random_.one_in(2)) return;
  try {
    commit(Durability::full, put(kSmallValueBytes[0]));
    checkpoint();
  } catch (const Error& error) {
    if (!is_error_of_the_disk(error)) throw;
  }
}

void Actor::perform(Step step) {
  switch (step) {
    case Step::put:
      return commit(Durability::full, put(kSmallValueBytes[number_ % 3]));
    case Step::put_relaxed:
      return commit(Durability::relaxed, put(kSmallValueBytes[number_ % 3]));
    case Step::erase:
      return commit(Durability::full, erase());
    case Step::large:
      return commit(Durability::full, put(kLargeValueBytes));
    case Step::large_relaxed:
      return commit(Durability::relaxed, put(kLargeValueBytes));
    case Step::table:
      return commit(Durability::full, put_into_named());
    case Step::drop:
      return commit(Durability::full, {{.table = "named", .key = {}, .value = {}}});
    case Step::grow:
      return commit(Durability::full, put(kHugeValueBytes));
    case Step::checkpoint:
      return checkpoint();
    case Step::wrap:
      return wrap();
    case Step::bulk:
      return bulk();
    case Step::rollback:
      return rollback();
    case Step::reader:
      return toggle_reader();
    case Step::reopen:
      return reopen();
    case Step::kill:
      return kill();
    case Step::disk_error:
      if (random_.one_in(4)) return machine_.seam().fail_write();
      return machine_.seam().fail_flush_after(random_.below(3));
    case Step::full_disk:
      return machine_.seam().limit_bytes(machine_.drive().state().length() * kPageBytes);
    case Step::death:
      return death();
    case Step::late_publication:
      return late_publication();
    case Step::pairs:
      return commit(random_.one_in(2) ? Durability::full : Durability::relaxed, change_pairs());
  }
}

void Actor::finish() {
  machine_.seam().forget_errors();
  machine_.seam().limit_bytes(0);
  reader_.reset();
  machine_.close();
}

namespace {

// True when a commit that threw has left the database as good as before: no room, or a record that
// could not be written and so has never been there.
bool is_refusal(const Error& error, bool was_visible) {
  return error.code() == Errc::no_space || (error.code() == Errc::io && !was_visible);
}

}  // namespace

void Actor::commit(Durability durability, const Edits& edits) {
  Model next = history_.newest();
  carry_out(edits, next);
  Transaction transaction = machine_.database().begin();
  const bool has_detour = number_ % kDetourEvery == 0;
  try {
    carry_out(edits, transaction);
    if (has_detour) make_detour(transaction);
  } catch (const Error& error) {
    if (error.code() == Errc::no_space) return;
    throw;
  }
  if (hash_of(next) == hash_of(history_.newest())) {
    transaction.commit(durability);  // of nothing: no id is used, nothing becomes durable
    return;
  }
  history_.attempt(std::move(next));
  const std::uint64_t txn = transaction.txn();
  const std::uint64_t visible_before = machine_.seam().visible_count();
  try {
    transaction.commit(durability);
  } catch (const Error& error) {
    const bool is_visible = machine_.seam().visible_count() > visible_before;
    if (is_refusal(error, is_visible)) return history_.refused();
    history_.failed();
    if (is_visible) history_.remember_id(txn);
    throw;
  }
  history_.returned(txn, durability == Durability::full);
}

std::string Actor::next_key() const { return "key " + std::to_string(number_ % kKeys); }

std::string Actor::next_value(std::size_t size_bytes) {
  return test::pattern(size_bytes, ++number_);
}

Edits Actor::put(std::size_t value_bytes) {
  const std::string key = next_key();
  return {{.table = "", .key = key, .value = next_value(value_bytes)}};
}

// One entry, or up to as many as follow it.
Edits Actor::erase() {
  const Model::Table& table = history_.newest().table("");
  if (table.empty()) return {};
  const std::uint64_t first = number_++ % table.size();
  auto victim = table.begin();
  std::advance(victim, static_cast<std::ptrdiff_t>(first));
  if (number_ % 2 == 0) return {{.table = "", .key = victim->first, .value = {}}};
  auto limit = victim;
  std::advance(limit, static_cast<std::ptrdiff_t>(number_ % (table.size() - first)));
  return {{.table = "", .key = victim->first, .value = {}, .limit = limit->first + "+"}};
}

Edits Actor::put_into_named() {
  const std::string key = next_key();
  return {{.table = "named", .key = key, .value = next_value(60)}};
}

// More values of a key; where it has many, fewer, or none of this key nor of others.
Edits Actor::change_pairs() {
  const std::string key = "set " + std::to_string(++number_ % kPairKeys);
  const Model::Pairs& pairs = history_.newest().pairs("pairs");
  const auto now = pairs.find(key);
  Edits edits;
  if (now == pairs.end() || now->second.size() < kPairsMax) {
    for (std::uint64_t i = 0; i < kPairsAtOnce; ++i) {
      edits.push_back({.table = "pairs",
                       .key = key,
                       .value = next_value(kPairValueBytes),
                       .what = Edit::What::new_pair});
    }
    return edits;
  }
  if (number_ % 3 == 0) {
    return {{.table = "pairs",
             .key = key,
             .value = {},
             .limit = "set ~",
             .what = Edit::What::keys_of_pairs}};
  }
  std::uint64_t left = now->second.size();
  for (const std::string& value : now->second) {
    if (left-- == kPairsKept) break;
    edits.push_back({.table = "pairs", .key = key, .value = value, .what = Edit::What::old_pair});
  }
  return edits;
}

// In the order of their keys: where many come behind all others, they are written in runs.
Edits Actor::many(const std::string& table, std::uint64_t count) {
  Edits edits;
  for (std::uint64_t index = 0; index < count; ++index) {
    const std::string key = "entry " + std::to_string(kFirstEntry + index);
    edits.push_back({table, key, next_value(kEntryValueBytes)});
  }
  return edits;
}

// Commits that fill the log, so that it wraps and checkpoints become due.
void Actor::wrap() {
  for (std::uint64_t index = 0; index < kWrapCommits; ++index) {
    commit(Durability::relaxed, many("", kWrapPuts));
  }
}

// Too much for the log: committed by a checkpoint.
void Actor::bulk() {
  commit(Durability::full, many("bulk", kBulkPuts));
  commit(Durability::full, {{.table = "bulk", .key = {}, .value = {}}});
}

void Actor::rollback() {
  Transaction transaction = machine_.database().begin();
  try {
    transaction.table().put("never", next_value(kLargeValueBytes));
    transaction.table("named").put("never", "");
    transaction.table().erase(next_key());
  } catch (const Error& error) {
    if (error.code() != Errc::no_space) throw;
  }
  transaction.rollback();
}

void Actor::toggle_reader() {
  if (reader_) {
    reader_.reset();
    return;
  }
  reader_.emplace(machine_.database().snapshot());
  reader_hash_ = hash_of(*reader_);
}

void Actor::expect_reader_unchanged() const {
  if (reader_ && hash_of(*reader_) != reader_hash_) {
    throw Failure("an open snapshot has changed");
  }
}

void Actor::checkpoint() {
  machine_.database().checkpoint();
  history_.all_durable();
}

void Actor::reopen() {
  reader_.reset();
  machine_.close();
  open_again();
}

void Actor::kill() {
  reader_.reset();
  machine_.kill();
  open_again();
}

// Another process commits or checkpoints and dies at some point of it; this one goes on.
void Actor::death() {
  const std::uint64_t choice = random_.below(8);
  Edits edits;  // none: a checkpoint
  if (choice == 0) edits = put(kSmallValueBytes[number_ % 3]);
  if (choice == 1) edits = put(kLargeValueBytes);
  if (choice == 2) edits = erase();
  if (choice == 3) edits = many("bulk", kBulkPuts);
  if (choice == 4) edits = put_into_named();
  if (choice == 5) edits = change_pairs();
  Model next = history_.newest();
  carry_out(edits, next);
  const bool is_change = hash_of(next) != hash_of(history_.newest());
  if (is_change) history_.attempt(std::move(next));
  const Durability durability = random_.one_in(2) ? Durability::full : Durability::relaxed;
  const std::uint64_t points = edits.empty()      ? kPointsOfCheckpoint
                               : edits.size() > 1 ? kPointsOfBulk
                                                  : kPointsOfPut;
  machine_.seam().serve_child(
      random_.between(1, points), [&] { die_in_child(edits, durability); },
      [&](std::uint64_t txn) {
        if (txn == 0) history_.all_durable();
        if (txn != 0 && is_change) history_.returned(txn, durability == Durability::full);
      });
  settle_after_death();
}

// In the child: with the file opened anew, beside its parent.
void Actor::die_in_child(const Edits& edits, Durability durability) {
  Database database = machine_.open_another();
  if (edits.empty()) {
    database.checkpoint();
    machine_.seam().tell_parent(0);
    return;
  }
  Transaction transaction = database.begin();
  carry_out(edits, transaction);
  const std::uint64_t txn = transaction.txn();
  transaction.commit(durability);
  machine_.seam().tell_parent(txn);
}

// Whoever writes next takes back what the dead one has not committed, and that decides it. A record
// that cannot be wiped out lets nobody begin; it is tried again.
void Actor::settle_after_death() {
  const auto begin = [this] {
    try {
      return machine_.database().begin();
    } catch (const Error& error) {
      if (error.code() != Errc::io) throw;
      return machine_.database().begin();
    }
  };
  Transaction transaction = begin();
  const Window window = history_.window();
  const auto found = history_.find(hash_of(transaction), window.returned, window.attempted);
  if (!found) throw Failure("after a death, a writer finds none of the states that may be there");
  history_.settled(*found);
}

// While this process flushes its commit, another one commits on top of it and dies before that is
// published, and a third one writes wherever it finds room. Then the first commit is published: a
// state between two others, which nobody could see until now, and which is to be whole.
void Actor::late_publication() {
  const Edits first = put(kSmallValueBytes[1]);
  const Edits second = put(kSmallValueBytes[0]);
  Model next = history_.newest();
  carry_out(first, next);
  Transaction transaction = machine_.database().begin();
  try {
    carry_out(first, transaction);
  } catch (const Error& error) {
    if (error.code() == Errc::no_space) return;
    throw;
  }
  history_.attempt(next);
  const std::size_t index = history_.window().attempted;
  carry_out(second, next);
  const std::uint64_t txn = transaction.txn();
  const std::uint64_t visible_before = machine_.seam().visible_count();
  machine_.seam().at_point("flush: intent noted", [&] {
    history_.remember_id(txn);
    history_.attempt(next);
    machine_.seam().serve_child(kNeverKilled, [&] { commit_and_die_in_child(second); }, {});
    machine_.seam().serve_child(kNeverKilled, [&] { take_room_in_child(); }, {});
  });
  try {
    transaction.commit();
  } catch (const Error& error) {
    machine_.seam().at_point({}, nullptr);
    const bool was_visible = machine_.seam().visible_count() > visible_before;
    if (is_refusal(error, was_visible)) return history_.refused();
    history_.failed();
    if (was_visible && history_.window().attempted == index) history_.remember_id(txn);
    throw;
  }
  machine_.seam().at_point({}, nullptr);
  history_.returned_late(index, txn);
  const Window window = history_.window();
  const std::uint64_t hash = hash_of(machine_.database().snapshot());
  if (!history_.find(hash, window.returned, window.attempted)) {
    throw Failure("a state that was published late is not whole");
  }
  settle_after_death();
}

void Actor::commit_and_die_in_child(const Edits& edits) {
  Database database = machine_.open_another();
  Transaction transaction = database.begin();
  carry_out(edits, transaction);
  machine_.seam().die_at("commit: visible");
  transaction.commit(Durability::relaxed);
}

// As many pages as make a sweep due, and some more; nothing of it is committed.
void Actor::take_room_in_child() {
  Database database = machine_.open_another();
  for (std::uint64_t round = 0; round < kRoundsToSweep; ++round) {
    Transaction transaction = database.begin();
    carry_out(many("bulk", kBulkPuts), transaction);
    transaction.rollback();
  }
}

void Actor::restart_after_error() {
  machine_.seam().limit_bytes(0);
  reopen();
}

// A flush that fails while the database is being opened is an error of that opening; the next one
// starts over.
void Actor::open_again() {
  machine_.seam().limit_bytes(0);
  try {
    machine_.open();
  } catch (const Error& error) {
    if (!is_error_of_the_disk(error)) throw;
    machine_.open();
  }
  const Snapshot snapshot = machine_.database().snapshot();
  const Window window = history_.window();
  // A kill costs nothing that was committed, unless the disk has failed before.
  const std::size_t oldest = machine_.seam().has_failed() ? window.acknowledged : window.returned;
  const auto found = history_.find(hash_of(snapshot), oldest, window.attempted);
  if (!found) throw Failure("opened again, the database holds none of the states that it may");
  history_.recovered(*found);
}

}  // namespace quire::crash
