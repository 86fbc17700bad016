// A position in a tree. A plain value without heap memory: copying it is copying its path.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "btree/finger.h"
#include "btree/values.h"
#include "format/leaf.h"
#include "format/page.h"
#include "pages/page_view.h"

namespace quire::btree {

// Threads: one cursor by one thread at a time; copies are independent. Valid as long as the pages
// of its tree are kept and, in the writing transaction, until the tree changes (the caller watches
// that). Errors: Errc::corrupt from every function that moves or reads.
class Cursor {
 public:
  // Stands at the end.
  Cursor() = default;
  Cursor(const pages::PageView& view, const format::TreeRoot& tree) noexcept;

  void seek_first();
  void seek_last();  // at the last entry; at the end when the tree is empty
  void seek_end() noexcept;
  void seek_lower_bound(std::string_view key);  // first entry >= key, or the end
  void seek_upper_bound(std::string_view key);  // first entry > key, or the end
  bool seek_exact(std::string_view key);        // at the entry, or at the end and false

  // At the entry that has about this part (0 <= part < 1) of the tree before it, as if all pages of
  // a level held the same; at the end when the tree is empty.
  void seek_part(double part);

  // To the entry where a finger that leads into this tree as it is stands, or the one behind it.
  // Requires finger.height to be the tree's. No descent.
  void seek_finger(const Finger& finger);

  bool at_end() const noexcept;
  void next();      // requires !at_end()
  bool previous();  // from the end: to the last entry; false (and no move) at the first

  // Require !at_end(). All point into the map.
  struct Entry {
    std::string_view key;
    std::string_view value;
  };
  Entry entry() const;
  std::string_view key() const;
  std::string_view value() const;
  std::optional<format::ExtentRef> value_extent() const;  // when the value lives in an extent
  Values values() const;                                  // of a multimap's entry

  bool same_place(const Cursor& other) const noexcept;

 private:
  enum class Side { first, last };
  struct Step {
    std::uint32_t page;
    std::uint32_t index;
  };
  const std::byte* page(std::uint32_t level) const noexcept;
  format::LeafEntry leaf_entry() const;
  void enter_leaf(format::PagePtr pointer);
  void look_ahead(Side side);
  void prefetch_records(Side side, std::uint32_t first, std::uint32_t last) const;
  void aim(Side side);
  void step_down(format::PagePtr pointer, std::uint32_t level, Side side);
  bool step_across(Side side);
  bool seek(std::string_view key, bool behind_equal);

  pages::PageView view_;
  format::PagePtr root_;
  std::uint32_t height_ = 0;
  bool at_end_ = true;
  Step path_[format::kTreeHeightMax] = {};
  format::LeafView leaf_;  // path_[0].page, once it was judged

  // What is loaded ahead of the steps that will read it.
  const std::byte* ahead_ = nullptr;  // next line of the leaf that comes next
  const std::byte* ahead_end_ = nullptr;
  std::uint32_t ahead_step_bytes_ = 0;  // with each entry of this leaf
  bool is_aimed_ = false;               // the leaf that comes next was looked for
  bool is_cold_ = false;                // this leaf was not loaded ahead
};

}  // namespace quire::btree
