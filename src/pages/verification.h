// What reads verify beyond what every read compares (number, birth, kind, level): the checksums of
// pages that a checkpoint has sealed, and of extents.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/id.h"
#include "format/page.h"

namespace quire::pages {

// What this process has verified already: a direct-mapped table, one word per page up to a bound. A
// place that two pages share forgets the one for the other, which is then verified once more.
// Threads: any, without locks.
class VerifiedPages {
 public:
  explicit VerifiedPages(std::uint64_t page_count);  // of the file

  // `word` says which content the page was found whole with; never 0.
  bool has(std::uint32_t page, std::uint64_t word) const noexcept {
    return words_[page & mask_].load(std::memory_order_relaxed) == word;
  }
  void add(std::uint32_t page, std::uint64_t word) noexcept {
    words_[page & mask_].store(word, std::memory_order_relaxed);
  }

 private:
  std::uint32_t mask_;
  std::vector<std::atomic<std::uint64_t>> words_;
};

// How one snapshot or transaction verifies what it reads.
struct Verification {
  // The last checkpoint before it began: pages up to this birth have checksums. (Of a later
  // checkpoint that does not hold: what only older snapshots see is never sealed.)
  TxnId sealed;
  TxnId newest;                       // no page that it sees is younger
  VerifiedPages* verified = nullptr;  // null: every read verifies
};

}  // namespace quire::pages
