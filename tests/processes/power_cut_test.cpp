// Power cuts: copies of the file as the disk might hold it. Everything acknowledged must be in each
// of them.
#include "support/power_cut.h"

#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/database_test.h"
#include "support/ledger.h"
#include "support/metas.h"

namespace quire::test {
namespace {

// What a cut left, and how many transactions of the ledger it must hold at least and may hold at
// most.
struct Cut {
  std::string image;
  std::uint64_t acknowledged;
  std::uint64_t attempted;
};

class PowerCut : public DatabaseTest {
 protected:
  std::filesystem::path cut_file() const { return directory_.file("cut"); }

  void write_cut(const std::string& image) const {
    std::filesystem::remove(lock_file_of(cut_file()));
    std::filesystem::remove(cut_file());
    write_file(cut_file(), image);
  }

  // Opens the copy: it holds what it must, is sound, can be written, and opens again.
  std::uint64_t expect_recovers(const Cut& cut) const {
    write_cut(cut.image);
    std::uint64_t count = 0;
    {
      Database db{cut_file()};
      count = expect_ledger(db);
      EXPECT_GE(count, cut.acknowledged);
      EXPECT_LE(count, cut.attempted);
      EXPECT_EQ(advance(db), count + 1);  // which mends a meta that the cut has torn
      expect_sound(db);
    }
    Database db{cut_file()};
    EXPECT_EQ(expect_ledger(db), count + 1);
    return count;
  }

  // Recovery itself is cut, at a random one of its flushes; what it leaves must recover to the
  // same.
  void expect_recovers_from_cut_recovery(const Cut& cut, Random& random) const {
    write_cut(cut.image);
    std::vector<std::string> images;
    std::uint64_t count = 0;
    {
      const WatchedFile* self = nullptr;
      const WatchedFile watch{cut_file(), [&] {
                                if (images.size() < 12) {
                                  images.push_back(self->image(Unflushed::mixed, random));
                                }
                              }};
      self = &watch;
      Database db{cut_file()};
      count = expect_ledger(db);
    }
    if (images.empty()) return;
    std::string& image = images[random.below(images.size())];
    lose_newest_meta(image);
    expect_recovers({image, count, count});
  }

  // One bad meta page never matters, wherever else the power was cut: while both are good, the
  // newest goes. While they are of two checkpoints, nobody has acknowledged the newer one yet.
  static void lose_newest_meta(std::string& image) {
    const format::Meta metas[2] = {meta_of(image, 0), meta_of(image, 1)};
    for (const format::Meta& meta : metas) {
      if (format::judge(meta) != format::MetaFault::none) return;
    }
    if (metas[0].checkpoint != metas[1].checkpoint) return;
    const int newest = metas[0].sequence > metas[1].sequence ? 0 : 1;
    image.replace(format::kMetaOffset[newest], sizeof(format::Meta), sizeof(format::Meta), '\0');
  }

  Random random_{choose_seed("PowerCut")};
};

TEST_F(PowerCut, AfterNothingButLogFlushesLosesNoFullCommit) {
  Database db{file_};
  advance(db);
  db.checkpoint();
  const WatchedFile disk{file_, {}};
  for (std::uint64_t i = 0; i < rounds(120, 25) && !HasFailure(); ++i) {
    const std::uint64_t number = advance(db);
    expect_recovers({disk.image(Unflushed::lost, random_), number, number});
  }
}

TEST_F(PowerCut, LosesAtMostTheNewestRelaxedCommits) {
  Database db{file_, {.durability = Durability::relaxed}};
  advance(db, Durability::full);
  const WatchedFile disk{file_, {}};
  std::uint64_t safe = 1;
  for (std::uint64_t i = 0; i < rounds(100, 20) && !HasFailure(); ++i) {
    std::uint64_t number = 0;
    for (std::uint64_t n = random_.between(1, 6); n > 0; --n) {
      number = advance(db, Durability::relaxed);
    }
    if (random_.one_in(3)) number = safe = advance(db, Durability::full);
    if (random_.one_in(6)) {
      db.sync();
      safe = number;
    }
    const Unflushed fate = i % 3 == 0 ? Unflushed::lost : Unflushed::mixed;
    expect_recovers({disk.image(fate, random_), safe, number});
  }
}

TEST_F(PowerCut, AtAnyFlushLeavesEverythingAcknowledged) {
  std::uint64_t acknowledged = 0;
  std::uint64_t attempted = 0;
  { Database{file_}; }
  std::vector<Cut> cuts;
  const WatchedFile* self = nullptr;
  const WatchedFile disk{file_, [&] {
                           if (!random_.one_in(6)) return;
                           const Unflushed fate =
                               random_.one_in(5) ? Unflushed::lost : Unflushed::mixed;
                           cuts.push_back({self->image(fate, random_), acknowledged, attempted});
                         }};
  self = &disk;
  for (std::uint64_t life = 0; life < rounds(20, 4) && !HasFailure(); ++life) {
    {
      Database db{file_};
      for (std::uint64_t n = random_.between(1, 60); n > 0; --n) {
        ++attempted;
        const bool full = !random_.one_in(3);
        advance(db, full ? Durability::full : Durability::relaxed);
        if (full) acknowledged = attempted;
        if (random_.one_in(25)) db.checkpoint();
      }
    }
    acknowledged = attempted;
    for (const Cut& cut : std::exchange(cuts, {})) {
      expect_recovers(cut);
      if (random_.one_in(4)) expect_recovers_from_cut_recovery(cut, random_);
      if (HasFailure()) return;
    }
  }
}

TEST_F(PowerCut, OfALargeTransactionIsAllOrNothing) {
  { Database{file_}; }
  std::vector<std::pair<std::string, bool>> images;
  bool committed = false;
  const WatchedFile* self = nullptr;
  const WatchedFile disk{file_, [&] {
                           if (random_.one_in(3))
                             images.emplace_back(self->image(Unflushed::mixed, random_), committed);
                         }};
  self = &disk;
  constexpr std::uint64_t kCount = 30'000;
  {
    Database db{file_};
    db.write([](Transaction& tx) {
      for (std::uint64_t i = 0; i < kCount; ++i) tx.table().put(big_endian(i), pattern(120, i));
    });
    committed = true;
    images.emplace_back(self->image(Unflushed::lost, random_), committed);
  }
  for (const auto& [image, must_be_there] : images) {
    write_cut(image);
    Database db{cut_file()};
    const Snapshot now = db.snapshot();
    const std::uint64_t size = now.table().size();
    EXPECT_TRUE(size == kCount || (size == 0 && !must_be_there)) << size;
    std::uint64_t at = 0;
    for (auto [key, value] : now.table()) ASSERT_EQ(value, pattern(120, at++));
    db.put("mends", "a torn meta");
    expect_sound(db);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace quire::test
