// Which pages the running transaction has taken, and which of its own it has left, since each of
// its savepoints. Private memory: a process that dies leaves nothing of it.
#pragma once

#include <bit>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/id.h"

namespace quire::pages {

// Page numbers, as bits by word: the pages that a transaction takes are mostly neighbours.
//
// Threads: one.
class PageSet {
 public:
  bool contains(PageId page) const noexcept {
    const auto word = words_.find(page.value / kWordPages);
    return word != words_.end() && (word->second & bit_of(page)) != 0;
  }

  // False when it was there.
  bool insert(PageId page);

  // False when it was not there.
  bool erase(PageId page) noexcept;

  // Takes over what another set has. Cost: the smaller of the two.
  void merge(PageSet&& other);

  // As neighbours stand together, in order.
  std::vector<PageRun> runs() const;

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [word, bits] : words_) {
      for (std::uint64_t left = bits; left != 0; left &= left - 1) {
        visit(PageId{word * kWordPages + static_cast<std::uint32_t>(std::countr_zero(left))});
      }
    }
  }

 private:
  static constexpr std::uint32_t kWordPages = 64;
  static std::uint64_t bit_of(PageId page) noexcept {
    return std::uint64_t{1} << (page.value % kWordPages);
  }

  std::unordered_map<std::uint32_t, std::uint64_t> words_;
};

// Threads: the writer's thread. After std::bad_alloc from any function what is known is not whole,
// and the transaction can only be rolled back.
class SavepointPages {
 public:
  // What has happened since one savepoint and before the next one.
  struct Since {
    std::uint64_t deferred_tail = 0;  // when it began
    PageSet taken;
    std::vector<PageRun> taken_runs;  // of extents
    PageSet left;  // pages of the transaction, taken before the savepoint and used no longer
  };

  bool is_open() const noexcept { return !since_.empty(); }

  // Opens a savepoint within the newest one.
  void begin(std::uint64_t deferred_tail);

  // Ends the newest one, of which there must be one, and returns what was since.
  Since end() noexcept;

  // What was since the newest one, which stays open.
  Since& newest() noexcept { return since_.back(); }

  // Keeps what was since a savepoint that has ended: it was since the one around it. Without one
  // there is nothing to be kept.
  void join(Since&& ended);

  // True when the page was taken since the newest savepoint: it may be changed in place.
  bool is_new(PageId page) const noexcept { return since_.back().taken.contains(page); }

  // Require an open one, as the functions below do.
  void take(PageId page) { since_.back().taken.insert(page); }
  void take_run(PageRun run) { since_.back().taken_runs.push_back(run); }

  // A page of the transaction is used no longer. `now`: it was taken since the newest savepoint,
  // and nobody will ever come back to it; `later`: kept for that savepoint; `twice`: it was left
  // before.
  enum class Leaving { now, later, twice };
  Leaving leave(PageId page);

 private:
  std::vector<Since> since_;  // by savepoint, the newest last
};

}  // namespace quire::pages
