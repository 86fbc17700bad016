// A state of a database as the pages that it has: found by walking its trees, and made a file again
// by giving it space maps, an empty log and metas behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/id.h"
#include "format/meta.h"
#include "pages/page_view.h"

namespace quire::db {

// A set of pages. Threads: external synchronisation.
class PageSet {
 public:
  explicit PageSet(std::uint64_t page_count) : words_((page_count + 63) / 64) {}

  // False when some of them were in it already.
  bool add(PageRun run) noexcept;
  bool has(std::uint64_t page) const noexcept {
    return page / 64 < words_.size() && (words_[page / 64] >> page % 64 & 1) != 0;
  }
  std::uint64_t count() const noexcept;
  std::uint64_t end() const noexcept;  // behind the last one; 0: none

  // The first run at `page` or behind, no longer than `pages_max`; of no pages at the end.
  PageRun next_run(std::uint64_t page, std::uint32_t pages_max) const noexcept;

 private:
  std::vector<std::uint64_t> words_;
};

// Which pages a state has.
struct Census {
  explicit Census(std::uint64_t page_count) : used(page_count), trees(page_count) {}
  PageSet used;   // of trees and values
  PageSet trees;  // of them those of trees, which carry checksums of their own
};

// Where a state's trees begin.
struct Roots {
  format::TreeRoot catalogue;
  format::TreeRoot default_table;
};

// Finds the pages born after `since`. Verifies pages and values. Throws Errc::corrupt, also for a
// page in two places. Requires `view.verification`.
Census take_census(const pages::PageView& view, const Roots& roots, TxnId since);

// Completes a meta that says page size, file id, seed, transaction, roots and features: lays out
// maps and log behind the pages in `used`, and marks the file as closed.
void lay_out(format::Meta& meta, const PageSet& used);

// One meta as it is stored in a slot (0 or 1).
format::Meta stored_meta(const format::Meta& meta, int slot);

// The space map of a laid out state, as its pages stand in the file.
std::vector<std::byte> map_image(const format::Meta& meta, const PageSet& used);

// Copies a page of a tree and makes its checksum: it may be younger than the last checkpoint, which
// would have made it. Throws Errc::corrupt when the one that it has is wrong. Requires
// `view.verification`.
void copy_tree_page(const pages::PageView& view, std::uint64_t page, std::byte* target);

}  // namespace quire::db
