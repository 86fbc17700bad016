// Every call of the operating system fails at its first, second, third ... use, once and for good,
// with every error that it knows, until a life passes untouched.
#include <quire/quire.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>

#include <sys/mman.h>

#include "faults/failing_system.h"
#include "faults/life.h"
#include "support/child.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kTransactions = 34;  // the 30th is a commit by checkpoint
constexpr std::uint64_t kUsesEach = 24;      // beyond these, one use in kStride fails
constexpr std::uint64_t kStride = 17;

// Survives the death of a child: what it was at.
struct Place {
  std::atomic<std::uint64_t> use{0};
  std::atomic<std::uint64_t> runs{0};
};

Place& shared_place() {
  static Place& place = *new (::mmap(nullptr, sizeof(Place), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Place;
  return place;
}

bool is_shortage(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
}

class FailingSystem : public DatabaseTest, public ::testing::WithParamInterface<FallibleCall> {
 protected:
  FailingSystem() { skip_final_check(); }

  // One life with one fault. False when the life ended before it.
  bool survives(std::uint64_t use, bool for_good, int error_number) {
    remove_database(file_);
    const Holdings before = holdings(directory_.path());
    storage::system = kWholeSystem;
    GetParam().install();
    fault_plan = {.first_use = use, .for_good = for_good, .error_number = error_number};
    Life life{file_};
    life.live(kTransactions, [&](Database& db) { expect_usable(db, life); });
    const bool struck = fault_plan.failures > 0;
    storage::system = kWholeSystem;
    expect_right_error(life, error_number);
    EXPECT_TRUE(struck || !life.error()) << life.text();
    EXPECT_EQ(holdings(directory_.path()), before) << "something is still open";
    expect_no_leftovers(file_);
    expect_survives(file_, life);
    return struck;
  }

  // What failed works again; writing may be over for good (rule 6), reading never is.
  static void expect_usable(Database& db, const Life& life) {
    const FaultPlan met = fault_plan;
    fault_plan.first_use = 0;
    EXPECT_EQ(errc_of([&] { db.put("afterwards", "1"); }),
              life.is_poisoned() ? std::optional{Errc::poisoned} : std::nullopt);
    EXPECT_TRUE(life.is_poisoned() || db.erase("afterwards"));
    const Snapshot now = db.snapshot();
    EXPECT_LE(history::count_in(now.table()), life.attempted());
    fault_plan = met;
  }

  static void expect_right_error(const Life& life, int error_number) {
    if (!life.error()) return;
    const Errc code = *life.error();
    if (code == Errc::poisoned) return;  // a flush, of whatever reason
    const Errc expected = is_shortage(error_number) ? Errc::no_space : Errc::io;
    EXPECT_TRUE(code == expected || (error_number == ENOMEM && code == Errc::no_space))
        << life.text();
  }

  void fail_each_use(bool for_good, int error_number) {
    for (std::uint64_t use = 1;; use += use < kUsesEach ? rounds(1, 5) : kStride * rounds(1, 5)) {
      shared_place().use = use;
      shared_place().runs += 1;
      SCOPED_TRACE(std::string{GetParam().name} + " fails at use " + std::to_string(use) +
                   (for_good ? " and from then on" : "") + ": " + std::strerror(error_number));
      if (!survives(use, for_good, error_number) || HasFailure()) return;
    }
  }
};

TEST_P(FailingSystem, LosesNothingAndLeaksNothing) {
  shared_place().runs = 0;
  for (const int error_number : GetParam().error_numbers) {
    for (const bool for_good : {false, true}) {
      if (for_good && error_number == EINTR) continue;  // a signal storm without end
      shared_place().use = 0;
      Child child{[&](Link&) { fail_each_use(for_good, error_number); }};
      EXPECT_EQ(child.wait(), 0) << "at use " << shared_place().use << ", "
                                 << std::strerror(error_number) << (for_good ? ", for good" : "");
    }
  }
  std::cout << GetParam().name << ": " << shared_place().runs << " runs" << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Of, FailingSystem, ::testing::ValuesIn(fallible_calls()),
                         [](const auto& call) { return std::string{call.param.name}; });

}  // namespace
}  // namespace quire::test
