// File systems that are read-only, full, layered or of the wrong kind.
#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include <linux/magic.h>

#include "storage/system.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/mounts.h"

namespace quire::test {
namespace {

// A database on a small file system, filled until it is full.
class FullDisk : public DatabaseTest {
 protected:
  std::filesystem::path mount_point() const { return directory_.file("mnt"); }
  std::filesystem::path file() const { return mount_point() / "db"; }
  std::filesystem::path ballast() const { return mount_point() / "ballast"; }

  // Takes all space that is left, or gives it back.
  void take_all_space() const {
    run_command("dd if=/dev/zero of=" + ballast().string() + " bs=64k");
    run_command("dd if=/dev/zero of=" + ballast().string() + "2 bs=1k");
  }
  void give_space_back() const {
    std::filesystem::remove(ballast());
    std::filesystem::remove(ballast().string() + "2");
  }

  // Commits entries of this size until one fails with no_space. Returns how many were committed.
  static std::uint64_t fill(Database& db, std::uint64_t first, std::size_t value_bytes) {
    for (std::uint64_t i = first; i < first + 100'000; ++i) {
      const std::optional<Errc> code =
          errc_of([&] { db.put(big_endian(i), pattern(value_bytes, i)); });
      if (!code) continue;
      EXPECT_EQ(code, Errc::no_space);
      return i;
    }
    ADD_FAILURE() << "the disk never filled";
    return first;
  }

  static void expect_entries(const Database& db, std::uint64_t count, std::size_t value_bytes) {
    const Snapshot now = db.snapshot();
    EXPECT_EQ(now.table().size(), count);
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_EQ(now.table().get(big_endian(i)), pattern(value_bytes, i)) << i;
    }
  }

  void fill_and_go_on(std::size_t value_bytes) const {
    std::uint64_t count = 0;
    {
      Database db{file()};
      count = fill(db, 0, value_bytes);
      EXPECT_GT(count, 0u);
      expect_entries(db, count, value_bytes);
      EXPECT_EQ(errc_of([&] { db.put("huge", pattern(100 << 20, 1)); }), Errc::no_space);
      expect_sound(db);
      for (std::uint64_t i = 0; i < count / 2; ++i) db.erase(big_endian(i));
      // Fewer than were erased: entries put into the middle leave their pages half full.
      for (std::uint64_t i = 0; i < count / 8; ++i) db.put(big_endian(i), pattern(value_bytes, i));
      for (std::uint64_t i = 0; i < count / 8; ++i) db.erase(big_endian(i));
      expect_sound(db);
    }
    Database db{file()};
    const Snapshot now = db.snapshot();
    EXPECT_EQ(now.table().size(), count - count / 2);
    for (std::uint64_t i = count / 2; i < count; ++i) {
      ASSERT_EQ(now.table().get(big_endian(i)), pattern(value_bytes, i));
    }
    expect_sound(db);
  }

  // A transaction that alone exceeds the disk fails; smaller ones go on.
  void overfill_in_one_transaction() const {
    Database db{file()};
    for (std::uint64_t i = 0; i < 50; ++i) db.put(big_endian(i), pattern(3000, i));
    const std::uint64_t txn = db.snapshot().txn();
    EXPECT_EQ(errc_of([&] {
                db.write([](Transaction& tx) {
                  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
                    tx.table("huge").put(big_endian(i), pattern(900, i));
                  }
                });
              }),
              Errc::no_space);
    EXPECT_EQ(db.snapshot().txn(), txn);
    EXPECT_TRUE(db.snapshot().tables().empty());
    expect_entries(db, 50, 3000);
    expect_sound(db);
    for (std::uint64_t i = 50; i < 100; ++i) db.put(big_endian(i), pattern(3000, i));
    expect_entries(db, 100, 3000);
    expect_sound(db);
  }

  // Somebody else fills the disk: commits fail or use what the file has; they go on when space is
  // back.
  void survive_foreign_fill() const {
    std::uint64_t count = 0;
    {
      Database db{file()};
      for (; count < 100; ++count) db.put(big_endian(count), pattern(2000, count));
      take_all_space();
      count = fill(db, count, 2000);
      expect_entries(db, count, 2000);
      const Snapshot held = db.snapshot();
      EXPECT_EQ(held.table().size(), count);
    }
    {
      Database db{file()};
      expect_entries(db, count, 2000);
      give_space_back();
      for (int i = 0; i < 100; ++i, ++count) db.put(big_endian(count), pattern(2000, count));
      expect_entries(db, count, 2000);
      expect_sound(db);
    }
    expect_entries(Database{file()}, count, 2000);
  }
};

TEST_F(FullDisk, OfMemoryFailsTheTransactionOnly) {
  for (const std::size_t value_bytes : std::initializer_list<std::size_t>{300, 3000, 200'000}) {
    with_private_mounts([&] {
      if (!mount_tmpfs(mount_point(), "12m")) GTEST_SKIP() << "cannot mount a tmpfs";
      fill_and_go_on(value_bytes);
    });
  }
}

TEST_F(FullDisk, OfExt4FailsTheTransactionOnly) {
  for (const std::size_t value_bytes : std::initializer_list<std::size_t>{900, 200'000}) {
    with_private_mounts([&] {
      if (!mount_ext4(mount_point(), "24m")) GTEST_SKIP() << "cannot mount an ext4";
      fill_and_go_on(value_bytes);
    });
  }
}

TEST_F(FullDisk, OfMemoryFailsAHugeTransactionWithoutTrace) {
  with_private_mounts([&] {
    if (!mount_tmpfs(mount_point(), "16m")) GTEST_SKIP() << "cannot mount a tmpfs";
    overfill_in_one_transaction();
  });
}

TEST_F(FullDisk, OfExt4FailsAHugeTransactionWithoutTrace) {
  with_private_mounts([&] {
    if (!mount_ext4(mount_point(), "24m")) GTEST_SKIP() << "cannot mount an ext4";
    overfill_in_one_transaction();
  });
}

TEST_F(FullDisk, FilledBySomebodyElseHarmsNothing) {
  with_private_mounts([&] {
    if (!mount_tmpfs(mount_point(), "24m")) GTEST_SKIP() << "cannot mount a tmpfs";
    survive_foreign_fill();
  });
  with_private_mounts([&] {
    if (!mount_ext4(mount_point(), "32m")) GTEST_SKIP() << "cannot mount an ext4";
    survive_foreign_fill();
  });
}

TEST_F(FullDisk, HasNoRoomForANewDatabase) {
  with_private_mounts([&] {
    if (!mount_tmpfs(mount_point(), "4m")) GTEST_SKIP() << "cannot mount a tmpfs";
    take_all_space();
    EXPECT_EQ(errc_of([&] { Database{file()}; }), Errc::no_space);
    EXPECT_FALSE(std::filesystem::exists(file())) << "nothing half made stays";
    give_space_back();
    Database db{file()};
    db.put("a", "1");
  });
}

using Filesystems = DatabaseTest;

TEST_F(Filesystems, ThatAreReadOnlyAreRefusedForWriting) {
  with_private_mounts([&] {
    const std::filesystem::path at = directory_.file("mnt");
    if (!mount_tmpfs(at, "16m")) GTEST_SKIP() << "cannot mount a tmpfs";
    {
      Database db{at / "db"};
      db.put("a", "1");
    }
    ASSERT_EQ(::mount("none", at.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    const std::string text = text_of([&] { Database{at / "db"}; });
    EXPECT_EQ(errc_of([&] { Database{at / "db"}; }), Errc::io);
    EXPECT_NE(text.find("ead-only"), std::string::npos) << text;
    EXPECT_EQ(errc_of([&] { Database{at / "new"}; }), Errc::io);
    const Database db{at / "db", {.read_only = true}};
    EXPECT_EQ(db.get("a"), "1");
    expect_sound(db);
  });
}

TEST_F(Filesystems, InLayersAreCopiedUpBeforeAnythingIsMapped) {
  with_private_mounts([&] {
    const std::filesystem::path root = directory_.file("layers");
    std::filesystem::create_directory(root);
    if (!mount_tmpfs(root / "memory", "64m")) GTEST_SKIP() << "cannot mount a tmpfs";
    for (const char* name : {"lower", "upper", "work", "merged"}) {
      std::filesystem::create_directory(root / "memory" / name);
    }
    std::filesystem::permissions(directory_.path(), std::filesystem::perms{0755});
    const std::string memory = (root / "memory").string();
    const std::filesystem::path merged = root / "memory" / "merged";
    {
      Database db{root / "memory" / "lower" / "db"};
      db.put("a", "lower");
    }
    const std::string layers =
        "lowerdir=" + memory + "/lower,upperdir=" + memory + "/upper,workdir=" + memory + "/work";
    if (::mount("overlay", merged.c_str(), "overlay", 0, layers.c_str()) != 0) {
      GTEST_SKIP() << "cannot mount an overlay";
    }
    Child reader{[&](Link& link) {
      Database db{merged / "db", {.read_only = true}};
      EXPECT_EQ(db.get("a"), "lower");
      link.send(1);
      link.receive();
      EXPECT_EQ(db.get("a"), "merged");
    }};
    ASSERT_TRUE(reader.receive().has_value());
    {
      Database db{merged / "db"};
      db.put("a", "merged");
      reader.send(1);
      EXPECT_EQ(reader.wait(), 0);
      expect_sound(db);
      Child may_only_read{[&](Link&) {
        ASSERT_EQ(::setuid(65534), 0);
        const std::string text = text_of([&] { Database{merged / "db", {.read_only = true}}; });
        EXPECT_NE(text.find("on overlayfs a process that may only read"), std::string::npos)
            << text;
      }};
      EXPECT_EQ(may_only_read.wait(), 0);
    }
    EXPECT_EQ(Database{merged / "db"}.get("a"), "merged");
    EXPECT_EQ(Database{root / "memory" / "lower" / "db"}.get("a"), "lower");
  });
}

TEST_F(Filesystems, OfNetworksAreRefusedUnlessAllowed) {
  { Database db{file_}; }
  static auto real_fstatfs = storage::system.fstatfs;
  storage::system.fstatfs = [](int descriptor, struct statfs* status) {
    const int result = real_fstatfs(descriptor, status);
    status->f_type = NFS_SUPER_MAGIC;
    return result;
  };
  const std::optional<Errc> refused = errc_of([&] { Database{file_}; });
  const std::string text = text_of([&] { Database{file_}; });
  const std::optional<Errc> refused_new = errc_of([&] { Database{directory_.file("new")}; });
  const std::optional<Errc> allowed =
      errc_of([&] { Database(file_, {.allow_any_filesystem = true}).put("a", "1"); });
  storage::system.fstatfs = real_fstatfs;
  EXPECT_EQ(refused, Errc::unsupported_filesystem);
  EXPECT_EQ(refused_new, Errc::unsupported_filesystem);
  EXPECT_NE(text.find("allow_any_filesystem"), std::string::npos) << text;
  EXPECT_EQ(allowed, std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(directory_.file("new")));
}

}  // namespace
}  // namespace quire::test
