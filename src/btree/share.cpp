// Instead of splitting a leaf: entries move between it and a neighbour. Pages that many random
// entries are put into are five sixths full then instead of two thirds.
#include <algorithm>
#include <cstring>
#include <optional>

#include "btree/path.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::BranchView;
using format::LeafEntry;
using format::LeafSequence;
using format::LeafView;
using format::PagePtr;
using pages::PageSpace;

// A neighbour that uses more than this part of its room is not worth the work: the next entries
// would ask for the same again.
constexpr std::uint32_t kSharedUseMax = 7;
constexpr std::uint32_t kSharedUseOf = 8;

struct Neighbour {
  std::uint32_t index;  // in the parent
  std::byte* bytes;
  std::uint32_t used_bytes;
};

// The child `index` of the parent, if this transaction has written it and it is not `leaf` itself
// (in a damaged file).
std::optional<Neighbour> neighbour_at(const PageSpace& space, const BranchView& parent,
                                      std::uint32_t index, PagePtr leaf) {
  const PagePtr pointer = parent.child(index);
  if (pointer.birth_low != static_cast<std::uint32_t>(space.txn().value)) return std::nullopt;
  if (pointer.page == leaf.page) return std::nullopt;
  const std::byte* page = space.writer_view().read(pointer, 0);
  std::byte* bytes = space.if_writable(pointer, page);
  if (bytes == nullptr) return std::nullopt;
  return Neighbour{index, bytes, LeafView(page, space.view().page_bytes).used_bytes()};
}

std::optional<Neighbour> emptier_neighbour(const PageSpace& space, const Path& path) {
  const Path::Step& above = path.steps[1];
  const BranchView parent(above.bytes, space.view().page_bytes);
  std::optional<Neighbour> best;
  const PagePtr leaf = path.steps[0].pointer;
  if (above.index > 0) best = neighbour_at(space, parent, above.index - 1, leaf);
  if (above.index + 1 < parent.count()) {
    const auto right = neighbour_at(space, parent, above.index + 1, leaf);
    if (right && (!best || right->used_bytes < best->used_bytes)) best = right;
  }
  return best;
}

// Where the entries of two leaves and one more, at `added_index`, are cut.
struct Halves {
  std::uint32_t left_count;  // old entries
  bool added_left;
};

// By bytes. Nothing when the new entry has no place in its half.
std::optional<Halves> halves_of(const LeafSequence& entries, std::uint32_t added_index,
                                std::uint32_t added_bytes, std::uint32_t total_bytes,
                                std::uint32_t room_bytes) {
  std::uint32_t left_bytes = 0;
  for (std::uint32_t i = 0; i < entries.count(); ++i) {
    const bool is_added_before = added_index <= i;
    const std::uint32_t with_added = left_bytes + (is_added_before ? added_bytes : 0);
    if (i > 0 && with_added * 2 >= total_bytes) {
      const bool fits = with_added <= room_bytes && total_bytes - with_added <= room_bytes;
      return fits ? std::optional<Halves>({i, is_added_before}) : std::nullopt;
    }
    left_bytes += format::kLeafSlotBytes + entries.entry(i).record_bytes();
  }
  return std::nullopt;
}

// Cuts off the parent's separator before child `index` and puts the one between two leaves in its
// place. False, and nothing changes, when it does not fit.
bool replace_separator(std::byte* parent, std::uint32_t page_bytes, std::uint32_t index,
                       std::string_view separator) {
  alignas(64) std::byte copy[format::kPageBytesMax];
  std::memcpy(copy, parent, page_bytes);
  const PagePtr child = BranchView(parent, page_bytes).child(index);
  format::branch_erase(parent, page_bytes, index);
  if (format::branch_insert(parent, page_bytes, index, separator, child)) return true;
  std::memcpy(parent, copy, page_bytes);
  return false;
}

}  // namespace

bool share_with_sibling(PageSpace& space, const Path& path, const LeafEntry& entry) {
  const std::uint32_t page_bytes = space.view().page_bytes;
  const std::uint32_t room_bytes = format::page_room_bytes(page_bytes);
  const auto neighbour = emptier_neighbour(space, path);
  if (!neighbour || neighbour->used_bytes * kSharedUseOf > room_bytes * kSharedUseMax) return false;

  const Path::Step& step = path.steps[0];
  const Path::Step& above = path.steps[1];
  const bool is_left = neighbour->index > above.index;  // the path's leaf
  std::byte* left_page = is_left ? step.bytes : neighbour->bytes;
  std::byte* right_page = is_left ? neighbour->bytes : step.bytes;
  alignas(64) std::byte copies[2][format::kPageBytesMax];
  std::memcpy(copies[0], left_page, page_bytes);
  std::memcpy(copies[1], right_page, page_bytes);
  const LeafView left(copies[0], page_bytes);
  const LeafView right(copies[1], page_bytes);
  const auto entries = LeafSequence::joined(left, right);
  const std::uint32_t index = step.index + (is_left ? 0 : left.count());
  const std::uint32_t added_bytes = format::kLeafSlotBytes + entry.record_bytes();
  const auto halves = halves_of(entries, index, added_bytes,
                                left.used_bytes() + right.used_bytes() + added_bytes, room_bytes);
  if (!halves) return false;
  const bool is_last_left = halves->added_left && index == halves->left_count;
  const bool is_first_right = !halves->added_left && index == halves->left_count;
  const std::string_view left_last =
      is_last_left ? entry.key : entries.entry(halves->left_count - 1).key;
  const std::string_view right_first =
      is_first_right ? entry.key : entries.entry(halves->left_count).key;
  const std::string_view separator =
      right_first.substr(0, format::common_prefix_bytes(left_last, right_first) + 1);
  const std::uint32_t right_index = std::max(neighbour->index, above.index);
  if (!replace_separator(above.bytes, page_bytes, right_index, separator)) return false;

  format::leaf_build(left_page, page_bytes, entries, 0, halves->left_count);
  format::leaf_build(right_page, page_bytes, entries, halves->left_count, entries.count());
  const bool fits = halves->added_left ? format::leaf_insert(left_page, page_bytes, index, entry)
                                       : format::leaf_insert(right_page, page_bytes,
                                                             index - halves->left_count, entry);
  if (!fits) format::damaged(step.bytes, "leaf's heap is said to have room and has none");
  return true;
}

}  // namespace quire::btree
