// Visiting every page of a tree, for checkpoints (seal what is new), for check (judge everything)
// and for statistics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "btree/key_range.h"
#include "format/page.h"
#include "pages/page_view.h"

namespace quire::btree {

// Receives what `walk` finds, parents before children, in key order. Return values of `page` steer
// the walk. A leaf of a multimap has trees of values below it: their pages come behind it, levels
// counted in their own tree.
class Visitor {
 public:
  virtual ~Visitor() = default;

  // Called for each branch and leaf before anything below it, extents included; false skips that.
  // `bytes` has passed PageView::read.
  virtual bool page(PageId page, const std::byte* bytes, std::uint32_t level) = 0;

  // Called before a page, also the root, is read: false leaves it (and all below) out, by the birth
  // in the pointer.
  virtual bool enter(format::PagePtr pointer, std::uint32_t level) = 0;

  // Called for each extent named by a leaf for which `page` returned true.
  virtual void extent(const format::ExtentRef& extent, std::string_view key) = 0;
};

// Iterates; its memory does not depend on the tree. Throws Errc::corrupt as PageView::read does,
// and when it has come by more pages than the file has.
void walk(const pages::PageView& view, const format::TreeRoot& tree, Visitor& visitor);

// Hears what check_tree finds.
class CheckSink {
 public:
  virtual ~CheckSink() = default;

  // `keys` are those whose entries the fault may have damaged, changed or hidden; nothing when it
  // touches the tree as a whole.
  virtual void fault(std::uint64_t page, const std::string& reason,
                     const std::optional<KeyRange>& keys) = 0;

  // Each page run that the tree occupies, so that pages used twice are found, and the keys that it
  // holds. False: something else uses it already (the sink has noted it), do not enter.
  virtual bool used(PageRun run, const KeyRange& keys) = 0;
};

// Judges one tree completely: every page's fields, entry order inside and across pages (each key
// lies between the separators above it), heads, hints and prefixes, level and height, fill counts
// against `tree` (entries and pages of each kind; only when no fault hid any), checksums of pages
// with birth <= `sealed`, extents' checksums, births not above `newest` and not above the parent's.
// Reports each fault with page number, reason and the affected keys, and goes on where it
// can. Throws nothing itself. `pair_count`: the tree is a multimap, and is said to have so many
// pairs; its sets and trees of values are judged, too.
void check_tree(const pages::PageView& view, const format::TreeRoot& tree, TxnId sealed,
                TxnId newest, CheckSink& sink, std::optional<std::uint64_t> pair_count = {});

}  // namespace quire::btree
