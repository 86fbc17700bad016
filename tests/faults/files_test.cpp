// What others may do to the files of a database: cut, empty, replace or overwrite them, while
// somebody uses it and while nobody does.
#include <quire/quire.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "shared/layout.h"
#include "support/child.h"
#include "support/database_test.h"
#include "support/ledger.h"

namespace quire::test {
namespace {

using shared::RegionHeader;

struct Damage {
  const char* name;
  std::function<void(const std::filesystem::path&)> make;
};

void overwrite(const std::filesystem::path& path, std::uint64_t offset, const std::string& bytes) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

template <typename Edit>
void edit_header(const std::filesystem::path& path, Edit&& edit) {
  RegionHeader header = {};
  std::ifstream{path, std::ios::binary}.read(reinterpret_cast<char*>(&header), sizeof header);
  edit(header);
  overwrite(path, 0, {reinterpret_cast<const char*>(&header), sizeof header});
}

const std::vector<Damage>& lock_file_damages() {
  using Path = const std::filesystem::path&;
  static const std::vector<Damage> all = {
      {"removed", [](Path path) { std::filesystem::remove(path); }},
      {"emptied", [](Path path) { std::filesystem::resize_file(path, 0); }},
      {"cut in its header", [](Path path) { std::filesystem::resize_file(path, 20); }},
      {"cut behind its header", [](Path path) { std::filesystem::resize_file(path, 4096); }},
      {"cut in its tables", [](Path path) { std::filesystem::resize_file(path, 137 << 20); }},
      {"zeroed", [](Path path) { overwrite(path, 0, std::string(64 << 10, '\0')); }},
      {"overwritten", [](Path path) { overwrite(path, 0, pattern(64 << 10, 5)); }},
      {"overwritten behind its header",
       [](Path path) { overwrite(path, 4096, pattern(60 << 10, 6)); }},
      {"of another version",
       [](Path path) {
         edit_header(path, [](RegionHeader& header) { header.layout_version += 1; });
       }},
      {"of another C library",
       [](Path path) { edit_header(path, [](RegionHeader& header) { header.mutex_bytes += 8; }); }},
      {"of another file",
       [](Path path) { edit_header(path, [](RegionHeader& header) { header.data_inode += 1; }); }},
      {"from before a reboot",  // no lock is held, everything in it is as it was
       [](Path path) { overwrite(path, shared::kControlOffset, std::string(4, '\1')); }},
      {"replaced",
       [](Path path) {
         std::filesystem::remove(path);
         write_file(path, "");
       }},
  };
  return all;
}

class DamagedFiles : public DatabaseTest {
 protected:
  std::filesystem::path lock_file() const { return lock_file_of(file_); }
};

TEST_F(DamagedFiles, ALockFileHoldsNothingThatTheNextOpenNeeds) {
  std::uint64_t count = 0;
  for (const Damage& damage : lock_file_damages()) {
    SCOPED_TRACE(damage.name);
    Child dies{[&](Link& link) {
      Database db{file_};
      for (int i = 0; i < 12; ++i) link.send(advance(db));
      ::raise(SIGKILL);
    }};
    while (const std::optional<std::uint64_t> number = dies.receive()) count = *number;
    EXPECT_EQ(dies.wait(), -SIGKILL);
    damage.make(lock_file());
    const Database db{file_};
    EXPECT_EQ(expect_ledger(db), count);
    expect_sound(db);
  }
}

// Whoever comes gets in, or an error that says why, and in finite time; and when all have left,
// everything is there.
TEST_F(DamagedFiles, ALockFileInUseKeepsNewcomersOutOrLetsThemIn) {
  for (const Damage& damage : lock_file_damages()) {
    SCOPED_TRACE(damage.name);
    std::uint64_t count = 0;
    Child holder{[&](Link& link) {
      const Database guarded{file_, {.guard_sigbus = true}};
      Database db{file_};
      for (int i = 0; i < 5; ++i) link.send(advance(db));
      link.send(0);
      link.receive();
      ::raise(SIGKILL);
    }};
    while (const std::optional<std::uint64_t> number = holder.receive()) {
      if (*number == 0) break;
      count = *number;
    }
    damage.make(lock_file());
    Child newcomer{[&](Link&) {
      const auto code = errc_of([&] { Database{file_, {.guard_sigbus = true}}.snapshot(); });
      EXPECT_TRUE(!code || code == Errc::busy || code == Errc::wrong_version || code == Errc::io ||
                  code == Errc::corrupt || code == Errc::no_space)
          << static_cast<int>(*code);
    }};
    EXPECT_EQ(newcomer.wait(), 0);
    holder.kill();
    const Database db{file_};
    EXPECT_EQ(expect_ledger(db), count);
    expect_sound(db);
  }
}

TEST_F(DamagedFiles, ADataFileMadeLongerByOthersDoesNoHarm) {
  {
    Database db{file_};
    advance(db);
    const Snapshot held = db.snapshot();
    const std::uint64_t before = std::filesystem::file_size(file_);
    overwrite(file_, before, pattern(3 << 20, 7));
    EXPECT_EQ(expect_ledger(held), 1u);
    for (int i = 0; i < 120; ++i) advance(db);
    expect_sound(db);
  }
  const Database db{file_};
  EXPECT_EQ(expect_ledger(db), 121u);
  expect_sound(db);
}

TEST_F(DamagedFiles, ADataFileOverwrittenUnderUsersIsAnErrorAndNoDeath) {
  skip_final_check();
  Random random{choose_seed("DamagedFiles")};
  std::string whole;
  {
    Database db{file_};
    for (int i = 0; i < 60; ++i) advance(db);
  }
  whole = read_file(file_);
  std::uint64_t errors = 0;
  for (std::uint64_t round = 0; round < rounds(60, 10) && !HasFailure(); ++round) {
    write_file(file_, whole);
    std::filesystem::remove(lock_file());
    const std::uint64_t seed = random.next();
    SCOPED_TRACE("seed " + std::to_string(seed));
    Child user{[&](Link& link) {
      Database db{file_, {.durability = Durability::relaxed}};
      link.send(1);
      const auto code = errc_of([&] {
        for (int i = 0; i < 40; ++i) {
          const Snapshot now = db.snapshot();
          for (const std::string& name : now.tables()) entries(now.table(name));
          entries(now.table());
          Transaction tx = db.begin();
          tx.table().put(big_endian(static_cast<std::uint64_t>(i)), pattern(500, seed));
          tx.commit();
        }
      });
      EXPECT_TRUE(!code || code == Errc::corrupt) << static_cast<int>(*code);
      check(db);
      link.send(code ? 2 : 3);
    }};
    user.receive();
    Random bytes{seed};
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t page = 32 + bytes.below(whole.size() / 4096 - 32);
      overwrite(file_, page * 4096 + bytes.below(4096 - 16), pattern(16, bytes.next()));
    }
    errors += user.receive() == 2 ? 1 : 0;
    EXPECT_EQ(user.wait(), 0);
  }
  EXPECT_GT(errors, 0u);
}

}  // namespace
}  // namespace quire::test
