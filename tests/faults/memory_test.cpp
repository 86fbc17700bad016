// Memory and addresses that run out: the k-th allocation fails, once and from then on; mappings are
// refused.
#include <quire/quire.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <new>
#include <string>

#include <sys/resource.h>

#include "faults/life.h"
#include "support/child.h"

namespace {

// 0: every allocation succeeds.
thread_local std::uint64_t failing_allocation = 0;
thread_local bool fails_for_good = false;
thread_local std::uint64_t allocations = 0;
thread_local std::uint64_t failures = 0;

bool allocation_fails() noexcept {
  if (failing_allocation == 0) return false;
  ++allocations;
  const bool fails =
      fails_for_good ? allocations >= failing_allocation : allocations == failing_allocation;
  failures += fails ? 1 : 0;
  return fails;
}

void* allocate(std::size_t size_bytes) {
  void* memory = allocation_fails() ? nullptr : std::malloc(size_bytes == 0 ? 1 : size_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size_bytes) { return allocate(size_bytes); }
void* operator new[](std::size_t size_bytes) { return allocate(size_bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace quire::test {
namespace {

// Made before anything fails, so that what fails is quire's.
const std::string kLarge = pattern(200'000, 1);
const std::string kSmall = pattern(300, 2);
constexpr std::uint64_t kKeys = 40;

class FailingMemory : public DatabaseTest {
 protected:
  FailingMemory() { skip_final_check(); }

  // Transactions 1, 2, 3: each puts its number, once or kKeys times, and a large value.
  static void commit(Database& db, char number) {
    const Bytes value{&number, 1};
    Transaction tx = db.begin();
    for (char key = 0; key < static_cast<char>(kKeys); ++key) {
      tx.table("keys").put({&key, 1}, value);
      tx.table("more").put({&key, 1}, kSmall);
    }
    tx.table().put("large", kLarge);
    if (number == 2) tx.table("more").clear();
    if (number == 3) tx.drop("more");
    tx.table().put("count", value);
    tx.commit(number == 2 ? Durability::relaxed : Durability::full);
  }

  void live() {
    Database db{file_};
    for (char number = 1; number <= 3; ++number) {
      attempted_ = number;
      commit(db, number);
      acknowledged_ = number == 2 ? acknowledged_ : number;
      db.checkpoint();
      acknowledged_ = number;
      const Snapshot now = db.snapshot();
      for (auto [key, value] : now.table("keys")) EXPECT_EQ(value[0], number);
      now.tables();
      Transaction left_open = db.begin();
      left_open.table("left open").put("large", kLarge);
    }
    check(db);
    stat(db);
    readers(db);
  }

  void expect_survives() const {
    const Database db{file_};
    expect_sound(db);
    const Snapshot now = db.snapshot();
    const std::optional<Bytes> count = now.table().get("count");
    const char number = count ? (*count)[0] : '\0';
    EXPECT_GE(number, acknowledged_);
    EXPECT_LE(number, attempted_);
    EXPECT_EQ(now.table("keys").size(), number > 0 ? kKeys : 0);
    for (auto [key, value] : now.table("keys")) EXPECT_EQ(value[0], number);
    EXPECT_EQ(now.table("more").size(), number == 1 ? kKeys : 0);
    EXPECT_FALSE(now.table("left open").size());
  }

  // False when the life had fewer allocations.
  bool survives(std::uint64_t allocation, bool for_good) {
    remove_database(file_);
    attempted_ = acknowledged_ = 0;
    const Holdings before = holdings(directory_.path());
    allocations = failures = 0;
    fails_for_good = for_good;
    failing_allocation = allocation;
    try {
      live();
    } catch (const std::bad_alloc&) {
    } catch (const Error& error) {
      failing_allocation = 0;
      EXPECT_TRUE(error.code() == Errc::no_space || error.code() == Errc::io) << error.what();
    }
    failing_allocation = 0;
    const bool has_failed = failures > 0;
    EXPECT_EQ(holdings(directory_.path()), before) << "something is still open";
    expect_no_leftovers(file_);
    expect_survives();
    return has_failed;
  }

  char attempted_ = 0;
  char acknowledged_ = 0;
};

TEST_F(FailingMemory, AtAnyAllocationIsNoDeathAndNoLoss) {
  { Database{directory_.file("other")}; }  // what is allocated once per process
  remove_database(directory_.file("other"));
  std::uint64_t runs = 0;
  for (const bool for_good : {false, true}) {
    for (std::uint64_t at = 1; !HasFailure(); at += rounds(1, 7), ++runs) {
      SCOPED_TRACE("allocation " + std::to_string(at) + (for_good ? " and all after it" : ""));
      if (!survives(at, for_good)) break;
    }
  }
  std::cout << "allocations that failed: " << runs << std::endl;
}

// Bytes of addresses that this process uses now.
std::uint64_t address_bytes() {
  std::ifstream status{"/proc/self/statm"};
  std::uint64_t pages = 0;
  status >> pages;
  return pages * 4096;
}

void limit_addresses(std::uint64_t bytes) {
  const struct rlimit limit = {bytes, RLIM_INFINITY};
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
}

TEST_F(FailingMemory, OpeningWithFewAddressesIsAnErrorOrWorks) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs the addresses itself";
  run_in_child([&] {
    { Database{file_}; }
    const Holdings before = holdings(directory_.path());
    std::uint64_t refusals = 0;
    std::uint64_t opens = 0;
    for (std::uint64_t mib = 8; mib <= 6000; mib += mib < 64 ? 8 : 157) {
      SCOPED_TRACE(std::to_string(mib) + " MiB of addresses left");
      limit_addresses(address_bytes() + (mib << 20));
      try {
        Database db{file_};
        db.put("key", kLarge);
        ++opens;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::no_space) << error.what();
        ++refusals;
      } catch (const std::bad_alloc&) {
        ++refusals;
      }
      limit_addresses(RLIM_INFINITY);
      EXPECT_EQ(holdings(directory_.path()), before);
    }
    EXPECT_GT(refusals, 0u);
    EXPECT_GT(opens, 0u);
  });
}

TEST_F(FailingMemory, RunningOutOfAddressesInTheMiddleLosesNothing) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs the addresses itself";
  run_in_child([&] {
    Life life{file_};
    {
      Database db{file_};
      limit_addresses(address_bytes());
      life.live(34, [](Database&) { limit_addresses(RLIM_INFINITY); });
      limit_addresses(RLIM_INFINITY);
    }
    EXPECT_TRUE(!life.error() || life.error() == Errc::no_space) << life.text();
    test::expect_survives(file_, life);
  });
}

}  // namespace
}  // namespace quire::test
