// Processes that are killed: nothing committed is lost, and nobody else notices.
#include <quire/quire.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"
#include "support/log_size.h"
#include "support/stepped_child.h"
#include "support/system_calls.h"

namespace quire::test {
namespace {

// Commits until killed, and tells every number once it is committed.
void commit_until_killed(Link& link, const std::filesystem::path& file, Durability durability,
                         std::uint64_t seed) {
  Database db{file};
  Random random{seed};
  link.send(0);
  for (;;) {
    if (random.one_in(12)) {
      Transaction left_open = db.begin();
      advance(left_open);
      continue;
    }
    const bool full = durability == Durability::full || random.one_in(4);
    link.send(advance(db, full ? Durability::full : Durability::relaxed));
    if (random.one_in(30)) db.checkpoint();
  }
}

// Kills the child after some acknowledgements and a random while. Returns the last number
// acknowledged.
std::uint64_t kill_after(Child& child, std::uint64_t acknowledgements, Random& random) {
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i <= acknowledgements; ++i) {
    const std::optional<std::uint64_t> number = child.receive();
    EXPECT_TRUE(number.has_value()) << "the child died by itself";
    if (!number) break;
    last = std::max(last, *number);
  }
  for (std::uint64_t spin = random.below(400'000); spin > 0; --spin) asm volatile("");
  ::kill(child.pid(), SIGKILL);
  while (const std::optional<std::uint64_t> number = child.receive())
    last = std::max(last, *number);
  EXPECT_EQ(child.wait(), -SIGKILL);
  return last;
}

using KilledProcess = DatabaseTest;

// Kills the only process again and again; what it had acknowledged must be there.
void kill_the_only_process(const std::filesystem::path& file, Durability durability,
                           std::uint64_t kills, std::uint64_t seed) {
  Random random{seed};
  for (std::uint64_t i = 0; i < kills && !::testing::Test::HasFailure(); ++i) {
    Child child{[&](Link& link) { commit_until_killed(link, file, durability, seed + i); }};
    const std::uint64_t acknowledged = kill_after(child, random.below(25), random);
    if (random.one_in(5)) std::filesystem::remove(lock_file_of(file));
    if (random.one_in(3)) continue;
    Database db{file};
    EXPECT_GE(expect_ledger(db), acknowledged);
    if (i % 8 == 0) expect_sound(db);
  }
}

TEST_F(KilledProcess, ThatWasAloneLosesNoFullCommit) {
  const std::uint64_t seed = choose_seed("ThatWasAloneLosesNoFullCommit");
  kill_the_only_process(file_, Durability::full, rounds(120, 15), seed);
}

TEST_F(KilledProcess, ThatWasAloneLosesNoRelaxedCommit) {
  const std::uint64_t seed = choose_seed("ThatWasAloneLosesNoRelaxedCommit");
  kill_the_only_process(file_, Durability::relaxed, rounds(120, 15), seed);
}

TEST_F(KilledProcess, StopsNobodyElse) {
  const std::uint64_t seed = choose_seed("StopsNobodyElse");
  Random random{seed};
  Database db{file_};
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < rounds(300, 30) && !HasFailure(); ++i) {
    Child child{[&](Link& link) {
      commit_until_killed(link, file_, i % 2 == 0 ? Durability::full : Durability::relaxed, i);
    }};
    const std::uint64_t acknowledged = kill_after(child, random.below(12), random);
    const std::uint64_t seen = expect_ledger(db);
    EXPECT_GE(seen, acknowledged);
    EXPECT_GE(seen, last);
    last = advance(db, random.one_in(2) ? Durability::full : Durability::relaxed);
    EXPECT_EQ(expect_ledger(db), last);
    if (i % 20 == 0) expect_sound(db);
    if (i % 16 == 0) db.checkpoint();
  }
}

TEST_F(KilledProcess, LeavesSeveralOthersCommitting) {
  Random random{choose_seed("LeavesSeveralOthersCommitting")};
  for (std::uint64_t round = 0; round < rounds(25, 4) && !HasFailure(); ++round) {
    std::vector<Child> children;
    for (std::uint64_t i = 0; i < 3; ++i) {
      children.emplace_back([&](Link& link) {
        commit_until_killed(link, file_, Durability::relaxed, round * 3 + i);
      });
    }
    std::uint64_t last = kill_after(children[0], random.below(20), random);
    for (std::size_t other : {1u, 2u}) {
      std::optional<std::uint64_t> number;
      for (int i = 0; i < 60; ++i) number = children[other].receive();
      ASSERT_TRUE(number.has_value()) << "a survivor died or stood still";
      last = std::max(last, *number);
    }
    last = std::max(last, kill_after(children[1], random.below(20), random));
    last = std::max(last, kill_after(children[2], random.below(20), random));
    EXPECT_GE(expect_ledger(Database{file_}), last);
  }
}

TEST_F(KilledProcess, ReaderGivesItsPagesBack) {
  Database db{file_, {.durability = Durability::relaxed}};
  keep_log_size(db);
  advance(db);
  const auto overwrite = [&](std::uint64_t seed) {
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < 200; ++i) tx.table("o").put(big_endian(i), pattern(900, seed));
    });
  };
  overwrite(0);
  for (std::uint64_t round = 0; round < 60; ++round) {
    Child reader{[&](Link& link) {
      Database mine{file_};
      const Snapshot held = mine.snapshot();
      link.send(held.txn());
      link.receive();
    }};
    ASSERT_TRUE(reader.receive().has_value());
    for (std::uint64_t i = 0; i < 10; ++i) overwrite(round * 10 + i);
    reader.kill();
  }
  EXPECT_TRUE(readers(db).empty());
  EXPECT_LE(std::filesystem::file_size(file_), 32u << 20) << "of 130 MiB written in all";
}

// Lets the kernel kill this process after that time, in the middle of whatever it does then.
void die_after(std::uint64_t nanoseconds) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  EXPECT_EQ(::timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  itimerspec when{};
  when.it_value.tv_nsec = static_cast<long>(nanoseconds + 1);
  EXPECT_EQ(::timer_settime(timer, 0, &when, nullptr), 0);
}

class DiesInTheMiddle : public DatabaseTest {
 protected:
  // A child commits until the kernel kills it, at an instant that nothing in it has chosen. Returns
  // what it had acknowledged.
  std::uint64_t live_for(std::uint64_t nanoseconds, Durability durability, bool checkpoints) {
    Child child{[&](Link& link) {
      Database db{file_};
      link.send(0);
      die_after(nanoseconds);
      for (std::uint64_t n = 1;; ++n) {
        link.send(advance(db, durability));
        if (checkpoints && n % 4 == 0) db.checkpoint();
      }
    }};
    std::uint64_t last = 0;
    while (const std::optional<std::uint64_t> number = child.receive()) last = *number;
    EXPECT_EQ(child.wait(), -SIGKILL);
    return last;
  }
};

TEST_F(DiesInTheMiddle, AloneAndTheNextFindsEverything) {
  Random random{choose_seed("DiesInTheMiddle alone")};
  for (std::uint64_t i = 0; i < rounds(400, 40) && !HasFailure(); ++i) {
    const Durability durability = random.one_in(2) ? Durability::full : Durability::relaxed;
    const std::uint64_t acknowledged =
        live_for(random.below(400'000), durability, random.one_in(3));
    if (random.one_in(3)) continue;
    Database db{file_};
    EXPECT_GE(expect_ledger(db), acknowledged);
    if (i % 10 == 0) expect_sound(db);
  }
}

TEST_F(DiesInTheMiddle, BesideAnotherWhoGoesOn) {
  Random random{choose_seed("DiesInTheMiddle beside")};
  Database db{file_};
  std::uint64_t last = advance(db);
  for (std::uint64_t i = 0; i < rounds(1000, 60) && !HasFailure(); ++i) {
    const Durability durability = random.one_in(2) ? Durability::full : Durability::relaxed;
    const std::uint64_t acknowledged =
        live_for(random.below(400'000), durability, random.one_in(3));
    const std::uint64_t seen = expect_ledger(db);
    EXPECT_GE(seen, acknowledged);
    EXPECT_GE(seen, last);
    last = advance(db, durability);
    EXPECT_GE(last, acknowledged);
    if (i % 10 == 0) expect_sound(db);
  }
}

// A child dies after n instructions of a commit, beside another process: it was committed or it was
// not, and if it was not, then nothing of it comes back, neither for the others nor after a power
// cut.
class DiesAtAnyInstruction : public DatabaseTest {
 protected:
  // A commit by a child that is killed after `steps` of its instructions. Returns how many it made.
  std::uint64_t commit_until(std::uint64_t steps, Durability durability) const {
    Child child{[&](Link&) {
      Database db{file_};
      advance(db, durability);
      if (!begin_stepping()) return;
      Transaction tx = db.begin();
      tx.table().put("count", std::to_string(ledger_count(tx.table()) + 1));
      tx.commit(durability);
      end_stepping();
    }};
    const std::uint64_t made = step(child, steps);
    child.kill();
    return made;
  }

  // What a power cut that keeps every page leaves.
  std::uint64_t count_after_power_cut() const {
    const std::filesystem::path copied = directory_.file("copied");
    std::filesystem::copy_file(file_, copied, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::remove(lock_file_of(copied));
    const Database db{copied};
    expect_sound(db);
    return std::stoull(db.get("count").value_or("0"));
  }
};

TEST_F(DiesAtAnyInstruction, OfACommitWithoutATraceOrWithAll) {
  Random random{choose_seed("DiesAtAnyInstruction")};
  Database db{file_};
  advance(db);
  const std::uint64_t steps = commit_until(1'000'000, Durability::relaxed);
  if (steps == 0) GTEST_SKIP() << "this process may not trace its children";
  ASSERT_LT(steps, 1'000'000u);
  for (std::uint64_t i = 0; i < rounds(60, 5) && !HasFailure(); ++i) {
    db.write([](Transaction& tx) { tx.table().clear(); });
    const Durability durability = random.one_in(3) ? Durability::full : Durability::relaxed;
    commit_until(random.below(steps), durability);
    db.sync();  // a commit that is complete but not flushed is nobody's to see yet
    const std::uint64_t count = std::stoull(db.get("count").value_or("0"));
    EXPECT_TRUE(count == 1 || count == 2) << count;
    db.begin().rollback();
    EXPECT_EQ(std::stoull(db.get("count").value_or("0")), count);
    EXPECT_EQ(count_after_power_cut(), count);
  }
}

// A child that dies at its n-th call of the operating system, just before or just after it.
std::uint64_t calls_until_death = 0;
std::uint64_t calls_made = 0;
bool dies_before_call = false;

void count_call(bool before) {
  if (before) ++calls_made;
  if (before == dies_before_call && calls_made == calls_until_death) ::raise(SIGKILL);
}

// A short life with everything in it: open (create), full and relaxed commits, checkpoint, growth,
// rollback, close.
void short_life(Link& link, const std::filesystem::path& file, std::uint64_t dies_at, bool before) {
  calls_until_death = dies_at;
  calls_made = 0;
  dies_before_call = before;
  observe_system({[] { count_call(true); }, [] { count_call(false); }});
  {
    Database db{file};
    for (std::uint64_t i = 0; i < 5; ++i) {
      link.send(advance(db, i % 3 == 1 ? Durability::relaxed : Durability::full));
    }
    db.checkpoint();
    {
      Transaction left_open = db.begin();
      left_open.table().put("rolled back", pattern(9 << 20, 1));
    }
    for (std::uint64_t i = 0; i < 8; ++i) link.send(advance(db));
    db.sync();
  }
  stop_observing_system();
  link.send(1'000'000 + calls_made);
}

class DiesAtEverySystemCall : public DatabaseTest {
 protected:
  // Number of calls that a whole life makes now.
  std::uint64_t calls_of_a_life() {
    Child child{[&](Link& link) { short_life(link, file_, 0, true); }};
    std::uint64_t last = 0;
    while (const std::optional<std::uint64_t> number = child.receive()) last = *number;
    EXPECT_EQ(child.wait(), 0);
    return last - 1'000'000;
  }

  // Lets a life end at call `n`. Returns the last number acknowledged.
  std::uint64_t live_until(std::uint64_t n, bool before) {
    Child child{[&](Link& link) { short_life(link, file_, n, before); }};
    std::uint64_t last = 0;
    while (const std::optional<std::uint64_t> number = child.receive()) {
      if (*number < 1'000'000) last = *number;
    }
    const int code = child.wait();
    EXPECT_TRUE(code == -SIGKILL || code == 0) << code;
    return last;
  }
};

TEST_F(DiesAtEverySystemCall, AloneAndTheNextFindsEverything) {
  const std::uint64_t calls = calls_of_a_life() + 10;
  ASSERT_GT(calls, 30u);
  for (std::uint64_t n = 1; n <= calls && !HasFailure(); n += rounds(1, 9)) {
    SCOPED_TRACE("call " + std::to_string(n));
    if (n % 4 == 0) std::filesystem::remove(file_);
    const std::uint64_t acknowledged = live_until(n, n % 2 == 0);
    if (n % 3 == 0) live_until(1 + n * 7 % 20, true);
    Database db{file_};
    EXPECT_GE(expect_ledger(db), acknowledged);
    expect_sound(db);
    advance(db);
  }
}

TEST_F(DiesAtEverySystemCall, BesideAnotherWhoGoesOn) {
  Database db{file_};
  advance(db);
  const std::uint64_t calls = calls_of_a_life() + 10;
  for (std::uint64_t n = 1; n <= calls && !HasFailure(); n += rounds(1, 9)) {
    SCOPED_TRACE("call " + std::to_string(n));
    const std::uint64_t acknowledged = live_until(n, n % 2 == 0);
    EXPECT_GE(expect_ledger(db), acknowledged);
    advance(db);
    if (n % 10 == 0) expect_sound(db);
  }
}

}  // namespace
}  // namespace quire::test
