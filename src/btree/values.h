// The values of one key of a multimap, as the key's leaf has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "format/leaf.h"
#include "format/value_set.h"

namespace quire::btree {

// Either a set, or a tree whose keys are the values. Valid as long as the leaf.
struct Values {
  // Of an entry in the leaf at `page`. Throws format::Damage for any other entry.
  static Values of(const std::byte* page, const format::LeafEntry& entry);

  std::uint64_t count() const noexcept { return set ? set->count() : tree.entry_count; }

  std::optional<format::ValueSet> set;
  format::TreeRoot tree;  // when there is no set
};

inline Values Values::of(const std::byte* page, const format::LeafEntry& entry) {
  Values values;
  if (entry.in_tree) {
    const auto tree = format::decode_sub_tree(entry.value);
    if (!tree) format::damaged(page, "the reference to a tree of values contradicts itself");
    values.tree = *tree;
  } else if (entry.in_extent) {
    format::damaged(page, "a multimap's values stand in an extent");
  } else {
    values.set.emplace(page, entry.value);
  }
  return values;
}

inline std::uint64_t pages_of(const format::TreeRoot& values) noexcept {
  return values.branch_pages + values.leaf_pages;
}

}  // namespace quire::btree
