#include "shared/event.h"

#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace quire::shared {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr microseconds kForEver = seconds(200);

// Sleeps as users do until `happened`; true when it was woken and did not sleep to the limit.
bool sleep_until(EventWord& word, const std::atomic<bool>& happened) {
  const auto begin = steady_clock::now();
  for (;;) {
    const std::uint32_t seen = event_count(word);
    if (happened) break;
    event_wait(word, seen, kForEver);
  }
  return steady_clock::now() - begin < kForEver / 2;
}

TEST(Events, WakeEverybodyWhoSleeps) {
  EventWord word{0};
  std::atomic<bool> happened = false;
  std::atomic<int> woken = 0;
  std::vector<std::thread> sleepers;
  for (int i = 0; i < 8; ++i) {
    sleepers.emplace_back([&] { woken += sleep_until(word, happened) ? 1 : 0; });
  }
  while ((word.load() & 1) == 0) std::this_thread::yield();
  happened = true;
  event_signal(word);
  for (auto& sleeper : sleepers) sleeper.join();
  EXPECT_EQ(woken, 8);
  EXPECT_EQ(word.load() & 1, 0U) << "nobody sleeps any more";
}

TEST(Events, AreNotLostBetweenLookingAndSleeping) {
  EventWord word{0};
  const std::uint32_t seen = event_count(word);
  event_signal(word);
  const auto begin = steady_clock::now();
  event_wait(word, seen, kForEver);
  EXPECT_LT(steady_clock::now() - begin, kForEver / 2);
}

TEST(Events, ReachASleeperAtWhateverMomentTheyCome) {
  EventWord word{0};
  for (int round = 0; round < 2000; ++round) {
    std::atomic<bool> happened = false;
    std::thread signaller([&] {
      happened = true;
      event_signal(word);
    });
    ASSERT_TRUE(sleep_until(word, happened)) << "round " << round;
    signaller.join();
  }
}

TEST(Events, PassTheMarkThatAKilledSleeperLeft) {
  EventWord word{1};
  event_signal(word);
  EXPECT_EQ(word.load(), 2U);
  std::atomic<bool> happened = false;
  std::thread signaller([&] {
    while ((word.load() & 1) == 0) std::this_thread::yield();
    happened = true;
    event_signal(word);
  });
  EXPECT_TRUE(sleep_until(word, happened));
  signaller.join();
}

}  // namespace
}  // namespace quire::shared
