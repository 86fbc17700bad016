// Snapshots of many processes: as many as one likes, and none that outlives its process.
#include <quire/quire.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/handles.h"
#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

class ManySnapshots : public DatabaseTest {
 protected:
  static shared::Control& control(const Database& db) {
    return detail::Access::store(db).control();
  }
  static std::uint64_t sweeps(const Database& db) {
    return reinterpret_cast<pages::AllocatorControl*>(
               detail::Access::store(db).region().file().base() + shared::kAllocatorControlOffset)
        ->sweep_count.load();
  }

  // A process that opens so many snapshots, one after each commit that it waits for, and tells when
  // it has; then it keeps them until it hears something, and tells whether they are as they were.
  Child hold(std::uint64_t count) {
    return Child{[this, count](Link& link) {
      Database mine{file_};
      std::vector<Snapshot> held;
      std::vector<std::string> seen;
      for (std::uint64_t index = 0; index < count; ++index) {
        held.push_back(mine.snapshot());
        seen.emplace_back(held.back().table().get("k").value_or("none"));
      }
      link.send(held.size());
      link.receive();
      for (std::size_t index = 0; index < held.size(); ++index) {
        EXPECT_EQ(held[index].table().get("k"), seen[index]);
      }
    }};
  }
};

TEST_F(ManySnapshots, FiveThousandOfFiftyProcessesWorkAndSmallCommitsLookAtNoneOfThem) {
  constexpr std::uint64_t kProcesses = 50;
  const std::uint64_t each = rounds(100, 20);
  Database db{file_, {.durability = Durability::relaxed}};
  db.put("k", "0");
  std::vector<Child> holders;
  for (std::uint64_t index = 0; index < kProcesses; ++index) {
    holders.push_back(hold(each));
    ASSERT_EQ(holders.back().receive(), each);
    db.put("k", std::to_string(index));
  }
  const std::vector<ReaderInfo> all = readers(db);
  ASSERT_EQ(all.size(), kProcesses * each);
  EXPECT_EQ(all.back().commits_behind, 1u);
  EXPECT_GE(all.front().commits_behind, kProcesses);
  EXPECT_LE(control(db).reader_slot_count.load(), kProcesses * each + shared::kSlotStep);

  // Slots are looked at by sweeps only, and these come when the pages that are free run out.
  const std::uint64_t sweeps_before = sweeps(db);
  for (int commit = 0; commit < 20; ++commit) db.put("k", "x");
  EXPECT_EQ(sweeps(db), sweeps_before);
  for (std::uint64_t commit = 0; commit < 20'000; ++commit) db.put("k", std::to_string(commit));
  EXPECT_LE(sweeps(db) - sweeps_before, 20'000u / 20);

  for (Child& holder : holders) holder.send(0);
  for (Child& holder : holders) EXPECT_EQ(holder.wait(), 0);
  EXPECT_TRUE(readers(db).empty());
}

TEST_F(ManySnapshots, OfHundredsOfKilledProcessesLeaveNoSlotAndNoPin) {
  Database db{file_, {.durability = Durability::relaxed}};
  db.put("k", "0");
  std::uint64_t slots_at_first = 0;
  std::uint64_t processes_at_first = 0;
  const std::uint64_t rounds_of_four = rounds(60, 10);
  for (std::uint64_t round = 0; round < rounds_of_four; ++round) {
    std::vector<Child> holders;
    for (int index = 0; index < 4; ++index) {
      holders.push_back(hold(40));
      ASSERT_EQ(holders.back().receive(), 40u);
    }
    for (Child& holder : holders) holder.kill();
    if (round == 0) {
      slots_at_first = control(db).reader_slot_count.load();
      processes_at_first = control(db).process_slot_count.load();
    }
  }
  EXPECT_LE(control(db).reader_slot_count.load(), slots_at_first + shared::kSlotStep);
  EXPECT_EQ(control(db).process_slot_count.load(), processes_at_first);
  // Ordinary commits and nothing else: what the last ones kept is used again.
  db.checkpoint();
  const std::uint64_t size = stat(db).file_bytes;
  for (std::uint64_t commit = 0; commit < 3000; ++commit) db.put("k", std::to_string(commit));
  EXPECT_EQ(stat(db).file_bytes, size);
  std::vector<TxnId> pins;
  detail::Access::store(db).readers().collect(pins);
  EXPECT_TRUE(pins.empty());
}

// Nobody writes, so nobody sweeps: whoever comes next tidies up.
TEST_F(ManySnapshots, OfTheDeadAreClearedByWhoeverAttaches) {
  Database db{file_};
  db.put("k", "0");
  std::vector<Child> holders;
  for (int index = 0; index < 8; ++index) {
    holders.push_back(hold(30));
    ASSERT_EQ(holders.back().receive(), 30u);
  }
  for (Child& holder : holders) holder.kill();
  Child last = hold(1);
  ASSERT_EQ(last.receive(), 1u);
  std::uint64_t owned = 0;
  for (std::uint32_t slot = 0; slot < control(db).reader_slot_count.load(); ++slot) {
    const auto& reader = detail::Access::store(db).region().reader(slot);
    owned += static_cast<std::uint32_t>(reader.owner.load()) != 0 ? 1 : 0;
  }
  EXPECT_LE(owned, 2u) << "that of the last one, and perhaps one of ours";
  last.send(0);
  EXPECT_EQ(last.wait(), 0);
}

}  // namespace
}  // namespace quire::test
