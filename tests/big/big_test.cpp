// Large databases, values and transactions, with little memory of the process's own.
#include <quire/quire.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "support/child.h"
#include "support/database_test.h"
#include "support/memory.h"

namespace quire::test {
namespace {

// On disk, in a child of its own each, so that one test's memory is not another's.
class Big : public DatabaseTest {
 protected:
  Big() : DatabaseTest(ScratchDirectory::Place::disk) { skip_final_check(); }

  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "sanitizers take memory of their own";
  }

  // Runs `body`, which returns the number of bytes it has written, and bounds the memory that it
  // took.
  template <typename Body>
  void expect_bounded_memory(Body&& body) {
    run_in_child([&] {
      PeakMemory memory;
      const std::uint64_t written_bytes = body();
      const std::uint64_t peak_bytes = memory.stop();
      std::cout << "peak " << (peak_bytes >> 20) << " MiB, written " << (written_bytes >> 20)
                << " MiB\n";
      EXPECT_LE(peak_bytes, (std::uint64_t{64} << 20) + written_bytes / 100);
    });
  }

  // A bijection, so that keys come in no order and never twice.
  static std::string scattered(std::uint64_t number) {
    return big_endian(number * 0x9e3779b97f4a7c15);
  }

  // Puts entries first ≤ i < limit, in this order.
  static void put_all(Table& table, std::uint64_t first, std::uint64_t limit, bool in_order) {
    for (std::uint64_t i = first; i < limit; ++i) {
      const std::string key = in_order ? big_endian(i) : scattered(i);
      table.put(key, Bytes{key}.substr(4));
    }
  }

  static constexpr std::uint64_t kEntryBytes = 12;
};

TEST_F(Big, TenMillionEntriesInATable) {
  expect_bounded_memory([&]() -> std::uint64_t {
    constexpr std::uint64_t kCount = 10'000'000;
    Database db{file_, {.durability = Durability::relaxed}};
    for (std::uint64_t i = 0; i < kCount; i += 100'000) {
      db.write([&](Transaction& tx) {
        Table table = tx.table("words");
        put_all(table, i, i + 100'000, i < kCount * 4 / 5);
      });
    }
    const Snapshot now = db.snapshot();
    const TableView table = now.table("words");
    EXPECT_EQ(table.size(), kCount);
    for (std::uint64_t i = 0; i < kCount; i += 97) {
      const std::string key = i < kCount * 4 / 5 ? big_endian(i) : scattered(i);
      EXPECT_EQ(table.get(key), Bytes{key}.substr(4));
    }
    std::uint64_t walked = 0;
    for (Cursor at = table.begin(); at != table.end(); ++at) ++walked;
    EXPECT_EQ(walked, kCount);
    expect_sound(db);
    return kCount * kEntryBytes;
  });
}

TEST_F(Big, ATransactionOfFiveMillionPuts) {
  expect_bounded_memory([&]() -> std::uint64_t {
    constexpr std::uint64_t kCount = 5'000'000;
    Database db{file_};
    db.put("before", "1");
    const Snapshot before = db.snapshot();
    db.write([&](Transaction& tx) {
      Table table = tx.table("words");
      put_all(table, 0, kCount / 2, true);
      put_all(table, kCount / 2, kCount, false);
      EXPECT_EQ(table.size(), kCount);
    });
    EXPECT_TRUE(before.tables().empty());
    EXPECT_EQ(db.snapshot().tables().size(), 1u);
    const Snapshot now = db.snapshot();
    EXPECT_EQ(now.table("words").size(), kCount);
    for (std::uint64_t i = 0; i < kCount; i += 997) {
      const std::string key = i < kCount / 2 ? big_endian(i) : scattered(i);
      EXPECT_EQ(now.table("words").get(key), Bytes{key}.substr(4));
    }
    db.put("after", "2");
    expect_sound(db);
    return kCount * kEntryBytes;
  });
  Database db{file_};
  EXPECT_EQ(db.snapshot().tables(), std::vector<std::string>{"words"});
  EXPECT_EQ(db.get("after"), "2");
}

TEST_F(Big, ARollbackOfAMillionPutsLeavesTheFileUsable) {
  expect_bounded_memory([&]() -> std::uint64_t {
    Database db{file_};
    for (int round = 0; round < 3; ++round) {
      Transaction tx = db.begin();
      Table table = tx.table();
      put_all(table, 0, 1'000'000, round == 0);
      tx.rollback();
    }
    EXPECT_TRUE(entries(db).empty());
    EXPECT_LE(std::filesystem::file_size(file_), std::uint64_t{256} << 20);
    expect_sound(db);
    return 1'000'000 * kEntryBytes;
  });
}

// Half of them in order; they begin as a set in the leaf of their key, and end as one.
TEST_F(Big, TwoMillionValuesOfAKey) {
  expect_bounded_memory([&]() -> std::uint64_t {
    constexpr std::uint64_t kCount = 2'000'000;
    const auto value = [](std::uint64_t i) { return i % 2 == 0 ? big_endian(i) : scattered(i); };
    Database db{file_, {.durability = Durability::relaxed}};
    for (std::uint64_t first = 0; first < kCount; first += 100'000) {
      db.write([&](Transaction& tx) {
        Multimap map = tx.multimap("map");
        map.insert("before", big_endian(first));
        for (std::uint64_t i = first; i < first + 100'000; ++i) map.insert("key", value(i));
        map.insert("last", big_endian(first));
      });
    }
    {
      const Snapshot now = db.snapshot();
      const MultimapView map = now.multimap("map");
      EXPECT_EQ(map.count("key"), kCount);
      EXPECT_EQ(map.size(), kCount + 40);
      for (std::uint64_t i = 0; i < kCount; i += 997) EXPECT_TRUE(map.contains("key", value(i)));
      std::uint64_t walked = 0;
      std::string before;
      for (const Bytes each : map.values("key")) {
        EXPECT_LT(before, each);
        before = each;
        ++walked;
      }
      EXPECT_EQ(walked, kCount);
      ValueCursor at = map.values("key").end();
      for (; walked > 0; --walked) --at;
      EXPECT_TRUE(at == map.values("key").begin());
      EXPECT_EQ(std::ranges::distance(map.keys()), 3);
      const ValueRange some = map.values("key", big_endian(0), big_endian(1000));
      EXPECT_GE(std::ranges::distance(some), 500);
      expect_sound(db);
    }
    db.write([&](Transaction& tx) {
      Multimap map = tx.multimap("map");
      for (std::uint64_t i = 3; i < kCount; ++i) map.erase("key", value(i));
      EXPECT_EQ(map.count("key"), 3u);
    });
    EXPECT_EQ(stat(db).tables.at(1).extent_page_count, 0u);
    expect_sound(db);
    return kCount * kEntryBytes;
  });
}

TEST_F(Big, AHundredTables) {
  expect_bounded_memory([&]() -> std::uint64_t {
    constexpr std::uint64_t kEach = 10'000;
    Database db{file_};
    db.write([&](Transaction& tx) {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        for (std::uint64_t t = 0; t < 100; ++t) {
          tx.table("table " + std::to_string(t)).put(scattered(i), big_endian(t));
        }
      }
    });
    const Snapshot now = db.snapshot();
    EXPECT_EQ(now.tables().size(), 100u);
    for (std::uint64_t t = 0; t < 100; ++t) {
      const TableView table = now.table("table " + std::to_string(t));
      EXPECT_EQ(table.size(), kEach);
      for (std::uint64_t i = 0; i < kEach; i += 101) {
        EXPECT_EQ(table.get(scattered(i)), big_endian(t));
      }
    }
    expect_sound(db);
    return 100 * kEach * 16;
  });
}

// Address space that shows the same 257 pages again and again: a large value that takes no memory.
class RepeatedPages {
 public:
  explicit RepeatedPages(std::size_t size_bytes) : size_bytes_(size_bytes) {
    const int descriptor = ::memfd_create("value", MFD_CLOEXEC);
    const std::string bytes = pattern(kPeriodBytes, 1);
    base_ = static_cast<char*>(::mmap(nullptr, size_bytes_ + kPeriodBytes, PROT_NONE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    is_made_ = descriptor >= 0 && base_ != MAP_FAILED &&
               ::write(descriptor, bytes.data(), kPeriodBytes) == kPeriodBytes;
    for (std::size_t at = 0; is_made_ && at < size_bytes_; at += kPeriodBytes) {
      is_made_ = ::mmap(base_ + at, kPeriodBytes, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor,
                        0) != MAP_FAILED;
    }
    ::close(descriptor);
  }
  RepeatedPages(const RepeatedPages&) = delete;
  RepeatedPages& operator=(const RepeatedPages&) = delete;
  ~RepeatedPages() { ::munmap(base_, size_bytes_ + kPeriodBytes); }

  bool is_made() const noexcept { return is_made_; }
  Bytes bytes() const noexcept { return {base_, size_bytes_}; }

 private:
  static constexpr ssize_t kPeriodBytes = 257 * 4096;

  std::size_t size_bytes_;
  char* base_;
  bool is_made_ = false;
};

constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;

TEST_F(Big, AValueOfOneGibibyte) {
  expect_bounded_memory([&]() -> std::uint64_t {
    const RepeatedPages value(kGibibyte);
    EXPECT_TRUE(value.is_made());
    {
      Database db{file_};
      db.put("large", value.bytes());
      db.put("small", "1");
    }
    Database db{file_};
    {
      const Snapshot now = db.snapshot();
      EXPECT_TRUE(now.table().get("large") == value.bytes());
      EXPECT_EQ(now.table().get("small"), "1");
      expect_sound(db);
    }
    EXPECT_TRUE(db.erase("large"));
    db.checkpoint();
    const std::uint64_t before = std::filesystem::file_size(file_);
    db.put("large again", value.bytes().substr(0, value.bytes().size() / 2));
    EXPECT_LE(std::filesystem::file_size(file_), before) << "the space of the first is used again";
    return kGibibyte;
  });
}

TEST_F(Big, AValueThatNoWordOf32BitsCanMeasure) {
  expect_bounded_memory([&]() -> std::uint64_t {
    const RepeatedPages value(4 * kGibibyte + 5);
    EXPECT_TRUE(value.is_made());
    Database db{file_, {.durability = Durability::relaxed}};
    db.put("huge", value.bytes());
    db.put("small", "1");
    const Snapshot now = db.snapshot();
    const Bytes got = *now.table().get("huge");
    EXPECT_EQ(got.size(), value.bytes().size());
    for (std::size_t at = 0; at < got.size(); at += (64 << 20) - 4096) {
      EXPECT_TRUE(got.substr(at, 4096) == value.bytes().substr(at, 4096)) << at;
    }
    EXPECT_TRUE(got.substr(got.size() - 5) == value.bytes().substr(got.size() - 5));
    EXPECT_TRUE(db.erase("huge"));
    return got.size();
  });
}

}  // namespace
}  // namespace quire::test
