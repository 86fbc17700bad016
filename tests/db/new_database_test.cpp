// Copies and what was salvaged have their names when they are whole: a process killed in the middle
// once left an empty database at the target, which every later look took for the copy.
#include <quire/inspect.h>
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>

#include <signal.h>
#include <unistd.h>

#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

constexpr std::uint64_t kEntries = 20'000;
constexpr std::size_t kValueBytes = 500;
using Listener = std::function<void(std::uint64_t done, std::uint64_t total)>;

void die(std::uint64_t, std::uint64_t) { ::kill(::getpid(), SIGKILL); }

class NewDatabase : public DatabaseTest {
 protected:
  void SetUp() override {
    Database{file_}.write([](Transaction& tx) {
      for (std::uint64_t key = 0; key < kEntries; ++key) {
        tx.table().put(big_endian(key), pattern(kValueBytes, key));
      }
    });
  }

  void copy_it(const Listener& on_progress = nullptr) const {
    const Database db{file_};
    copy(db.snapshot(), target_, {}, on_progress);
  }
  void salvage_it(const Listener& on_progress = nullptr) const {
    salvage(file_, target_, {}, on_progress);
  }

  void expect_nothing_of_its_name_when_killed(const std::function<void(const Listener&)>& make) {
    Child killed{[&](Link&) { make(die); }};
    EXPECT_EQ(killed.wait(), -SIGKILL);
    EXPECT_FALSE(exists(target_));
    EXPECT_EQ(errc_of([&] { make(nullptr); }), Errc::busy);
    EXPECT_TRUE(std::filesystem::remove(unfinished_));
    make(nullptr);
    expect_whole();
  }

  void expect_whole() const {
    EXPECT_FALSE(exists(unfinished_));
    EXPECT_FALSE(std::filesystem::exists(unfinished_.string() + ".lock"));
    const Database made{target_};
    EXPECT_EQ(entries(made).size(), kEntries);
    expect_sound(made);
  }

  std::filesystem::path target_ = file_.parent_path() / "target";
  std::filesystem::path unfinished_ = file_.parent_path() / "target.new";
};

TEST_F(NewDatabase, OfAKilledCopyHasNotItsName) {
  expect_nothing_of_its_name_when_killed([&](const Listener& listener) { copy_it(listener); });
}

TEST_F(NewDatabase, OfAKilledSalvageHasNotItsName) {
  expect_nothing_of_its_name_when_killed([&](const Listener& listener) { salvage_it(listener); });
}

TEST_F(NewDatabase, TakesNobodysPlace) {
  const auto appear = [&](std::uint64_t, std::uint64_t) { std::ofstream{target_} << "mine"; };
  EXPECT_EQ(errc_of([&] { copy_it(appear); }), Errc::misuse);
  EXPECT_EQ(std::filesystem::file_size(target_), 4u);
  EXPECT_FALSE(exists(unfinished_));
  EXPECT_EQ(errc_of([&] { copy_it(); }), Errc::misuse) << "it was there before";
  std::filesystem::remove(target_);
  copy_it();
  expect_whole();
}

}  // namespace
}  // namespace quire::test
