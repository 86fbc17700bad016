// Visiting every page of a tree, for checkpoints (seal what is new), for check (judge everything)
// and for statistics.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/id.h"
#include "format/page.h"
#include "pages/page_view.h"

namespace quire::btree {

// Receives what `walk` finds, parents before children, in key order. Return values of `page` steer
// the walk.
class Visitor {
 public:
  virtual ~Visitor() = default;

  // Called for each branch and leaf before anything below it; false skips what is below. `bytes`
  // has passed PageView::read.
  virtual bool page(PageId page, const std::byte* bytes, std::uint32_t level) = 0;

  // Called before a child page is read: false leaves it (and all below) out, by the birth in the
  // pointer.
  virtual bool enter(format::PagePtr pointer, std::uint32_t level) = 0;

  // Called for each extent named by a visited leaf.
  virtual void extent(const format::ExtentRef& extent, std::string_view key) = 0;
};

// Iterates, never recurses deeper than format::kTreeHeightMax. Throws Errc::corrupt as
// PageView::read does.
void walk(const pages::PageView& view, const format::TreeRoot& tree, Visitor& visitor);

// Judges one tree completely: every page's fields, entry order inside and across pages (each key
// lies between the separators above it), heads, hints and prefixes, level and height, fill counts
// against `tree` (entries and pages of each kind), checksums of pages with birth <= `sealed`,
// extents' checksums, births not above `newest`. Reports each fault through `fault` (page number,
// reason with the affected key range) and goes on where it can; `used` hears each page run that the
// tree occupies, so that the caller can find pages used twice.
class CheckSink {
 public:
  virtual ~CheckSink() = default;
  virtual void fault(std::uint64_t page, const std::string& reason) = 0;
  virtual bool used(PageRun run) = 0;  // false: already used by something else (the sink has noted
                                       // it): do not enter
};

void check_tree(const pages::PageView& view, const format::TreeRoot& tree, TxnId sealed,
                TxnId newest, CheckSink& sink);

}  // namespace quire::btree
