// Processes that share a file but not their process numbers: each is process 1 and thread 1 of its
// own PID namespace. And processes of other kinds, which are refused.
#include "support/containers.h"

#include <quire/quire.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/mount.h>
#include <sys/stat.h>

#include "shared/layout.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"
#include "support/log_size.h"
#include "support/mounts.h"

namespace quire::test {
namespace {

using Containers = DatabaseTest;

// Does as it is told: the numbers of `Order`.
enum Order : std::uint64_t { commits = 1, begins, holds, closes };

void obey(Link& link, const std::filesystem::path& file) {
  std::optional<Database> db{file};
  std::optional<Transaction> running;
  std::optional<Snapshot> held;
  link.send(expect_ledger(*db));
  while (const std::optional<std::uint64_t> order = link.receive()) {
    std::uint64_t answer = 0;
    if (*order == commits) answer = advance(*db);
    if (*order == begins) {
      running.emplace(db->begin());
      answer = advance(*running);
    }
    if (*order == holds) {
      held.emplace(db->snapshot());
      answer = expect_ledger(*held);
    }
    if (*order == closes) return;
    link.send(answer);
  }
}

std::optional<std::uint64_t> tell(Child& child, Order order) {
  child.send(order);
  return child.receive();
}

TEST_F(Containers, WriteAndReadInTurns) {
  with_containers([&] {
    Child one = container([&](Link& link) { obey(link, file_); });
    Child other = container([&](Link& link) { obey(link, file_); });
    ASSERT_EQ(one.receive(), 0u);
    ASSERT_EQ(other.receive(), 0u);
    for (std::uint64_t number = 1; number < 100; number += 2) {
      ASSERT_EQ(tell(one, commits), number);
      ASSERT_EQ(tell(other, holds), number);
      ASSERT_EQ(tell(other, commits), number + 1);
      ASSERT_EQ(tell(one, holds), number + 1);
    }
    one.send(closes);
    other.send(closes);
    EXPECT_EQ(one.wait(), 0);
    EXPECT_EQ(other.wait(), 0);
  });
}

// The one that died was process 1 and is process 1 again, with another process 1 attached all
// along.
TEST_F(Containers, DieAndComeBackUnderTheSameNumber) {
  with_containers([&] {
    Child stays = container([&](Link& link) { obey(link, file_); });
    std::uint64_t count = 0;
    ASSERT_EQ(stays.receive(), count);
    for (int life = 0; life < 10; ++life) {
      Child dies = container([&](Link& link) { obey(link, file_); });
      ASSERT_EQ(dies.receive(), count);
      ASSERT_EQ(tell(dies, commits), ++count);
      ASSERT_EQ(tell(dies, holds), count);
      ASSERT_EQ(tell(dies, begins), count + 1);
      dies.kill();
      if (life % 2 == 0) {
        ASSERT_EQ(tell(stays, commits), ++count) << "the dead one's transaction is rolled back";
      }
    }
    const Database db{file_};
    EXPECT_EQ(stat(db).process_count, 2u);
    EXPECT_TRUE(readers(db).empty());
    stays.send(closes);
    EXPECT_EQ(stays.wait(), 0);
  });
}

// What a dead reader kept is free again, whether it comes back and clears its own slots or whether
// others have to.
TEST_F(Containers, GiveTheSlotsOfADeadReaderBack) {
  with_containers([&] {
    Database db{file_, {.durability = Durability::relaxed}};
    keep_log_size(db);
    const auto overwrite = [&](std::uint64_t seed) {
      db.write([&](Transaction& tx) {
        for (std::uint64_t i = 0; i < 200; ++i) {
          tx.table("o").put(big_endian(i), pattern(900, seed));
        }
      });
    };
    advance(db);
    for (std::uint64_t round = 0; round < 40; ++round) {
      Child reader = container([&](Link& link) { obey(link, file_); });
      ASSERT_EQ(reader.receive(), 1u);
      ASSERT_EQ(tell(reader, holds), 1u);
      EXPECT_EQ(readers(db).size(), 1u);
      reader.kill();
      EXPECT_TRUE(readers(db).empty());
      if (round % 2 == 0) {
        Child again = container([&](Link& link) { obey(link, file_); });
        ASSERT_EQ(again.receive(), 1u);
        EXPECT_TRUE(readers(db).empty()) << "it has cleared what its former self has left";
        again.send(closes);
        EXPECT_EQ(again.wait(), 0);
      }
      for (std::uint64_t i = 0; i < 10; ++i) overwrite(round * 10 + i);
    }
    EXPECT_LE(std::filesystem::file_size(file_), 32u << 20) << "of 80 MiB written in all";
  });
}

// To a robust mutex the waiter is the holder, because both are thread 1: its death would free the
// mutex. Three of them, so that the one who tries is the same thread as well.
TEST_F(Containers, KilledWaiterWithTheHoldersThreadIdLetsNobodyIn) {
  with_containers([&] {
    Child holder = container([&](Link& link) {
      Database db{file_};
      Transaction tx = db.begin();
      advance(tx);
      link.send(1);
      link.receive();
      tx.commit();
    });
    ASSERT_EQ(holder.receive(), 1u);
    for (int round = 0; round < 5; ++round) {
      Child waiter = container([&](Link& link) {
        Database db{file_};
        link.send(1);
        Transaction tx = db.begin();
        link.send(2);
      });
      ASSERT_EQ(waiter.receive(), 1u);
      for (int looks = 0; looks < 100; looks = is_asleep(waiter.pid()) ? looks + 1 : 0) {
        ASSERT_FALSE(has_ended(waiter.pid())) << "nothing made it wait";
      }
      waiter.kill();
      Child third = container([&](Link&) {
        Database db{file_};
        EXPECT_FALSE(db.try_begin().has_value()) << "a second writer";
      });
      EXPECT_EQ(third.wait(), 0);
      EXPECT_FALSE(Database{file_}.try_begin().has_value()) << "a second writer";
    }
    holder.send(1);
    EXPECT_EQ(holder.wait(), 0);
    EXPECT_EQ(expect_ledger(Database{file_}), 1u);
  });
}

TEST_F(Containers, DieTogetherAndRecoverUnderTheSameNumbers) {
  with_containers([&] {
    std::uint64_t count = 0;
    for (int life = 0; life < 10; ++life) {
      Child one = container([&](Link& link) { obey(link, file_); });
      ASSERT_EQ(one.receive(), count);
      Child other = container([&](Link& link) { obey(link, file_); });
      ASSERT_EQ(other.receive(), count);
      ASSERT_EQ(tell(one, commits), ++count);
      ASSERT_EQ(tell(other, commits), ++count);
      ASSERT_EQ(tell(one, begins), count + 1);
      one.kill();
      other.kill();
    }
  });
}

TEST_F(Containers, NeedNoProc) {
  with_private_mounts([&] {
    if (::mount("none", "/proc", "tmpfs", 0, nullptr) != 0) GTEST_SKIP() << "/proc stays here";
    Database db{file_};
    EXPECT_EQ(advance(db), 1u);
    const Snapshot held = db.snapshot();
    EXPECT_EQ(readers(db).size(), 1u);
    expect_sound(db);
  });
}

// The lock file was made by a process of another kind.
class OtherKind : public DatabaseTest {
 protected:
  template <typename Word>
  void set(std::size_t offset, Word value) {
    std::fstream lock{lock_file_of(file_), std::ios::in | std::ios::out | std::ios::binary};
    lock.seekp(static_cast<std::streamoff>(offset));
    lock.write(reinterpret_cast<const char*>(&value), sizeof value);
  }

  std::string fixed_part() const {
    std::ifstream lock{lock_file_of(file_), std::ios::binary};
    std::string bytes(shared::kFixedBytes, '\0');
    lock.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }

  // The word as another kind of process would have it, beside one that is attached.
  template <typename Word>
  void expect_refused(std::size_t offset, Word others, Word ours) {
    Database db{file_};
    advance(db);
    const Snapshot held = db.snapshot();
    set(offset, others);
    const std::string before = fixed_part();
    run_in_child([&] {
      const std::string text = text_of([&] { Database{file_}; });
      EXPECT_EQ(errc_of([&] { Database{file_}; }), Errc::wrong_version) << text;
      EXPECT_NE(text.find("C library or word size"), std::string::npos) << text;
    });
    EXPECT_TRUE(fixed_part() == before) << "something was touched in there";
    set(offset, ours);
    run_in_child([&] {
      Database other{file_};
      EXPECT_GT(advance(other), 1u);
    });
    const std::uint64_t seen = expect_ledger(db);
    EXPECT_EQ(advance(db), seen + 1);
  }

  // Nobody is attached: whoever comes makes the lock file anew.
  template <typename Word>
  void expect_rebuilt(std::size_t offset, Word others, Word ours) {
    { Database{file_}; }
    set(offset, others);
    Database db{file_};
    advance(db);
    Word now{};
    std::memcpy(&now, fixed_part().data() + offset, sizeof now);
    EXPECT_EQ(now, ours);
  }

  template <typename Word>
  void expect_refused_or_rebuilt(std::size_t offset, Word others, Word ours) {
    expect_rebuilt(offset, others, ours);
    expect_refused(offset, others, ours);
  }
};

TEST_F(OtherKind, OfAnotherLayoutVersionIsRefused) {
  expect_refused_or_rebuilt<std::uint32_t>(offsetof(shared::RegionHeader, layout_version),
                                           shared::kLayoutVersion + 1, shared::kLayoutVersion);
  expect_refused_or_rebuilt<std::uint32_t>(offsetof(shared::RegionHeader, layout_version),
                                           shared::kLayoutVersion - 1, shared::kLayoutVersion);
}

TEST_F(OtherKind, OfAnotherWordSizeIsRefused) {
  expect_refused_or_rebuilt<std::uint32_t>(offsetof(shared::RegionHeader, word_bytes), 4,
                                           sizeof(void*));
}

TEST_F(OtherKind, OfAnotherCLibraryIsRefused) {
  expect_refused_or_rebuilt<std::uint32_t>(offsetof(shared::RegionHeader, libc), 2, 1);
}

TEST_F(OtherKind, OfAnotherMutexSizeIsRefused) {
  expect_refused_or_rebuilt<std::uint32_t>(offsetof(shared::RegionHeader, mutex_bytes),
                                           sizeof(pthread_mutex_t) + 8, sizeof(pthread_mutex_t));
}

}  // namespace
}  // namespace quire::test
