#include "btree/multimap.h"

#include "base/assert.h"
#include "btree/cursor.h"
#include "btree/path.h"

namespace quire::btree {

using format::LeafEntry;
using format::LeafView;
using format::TreeRoot;
using format::ValueSet;
using format::ValueSetWriter;
using pages::PageSpace;
using pages::PageView;

namespace {

// A set as a leaf may hold it, also one that is damaged.
using SetBuffer = std::byte[format::kValueInPages];

// A tree of values becomes a set again when that takes one part in this of what a set may take: far
// enough from where it would become a tree.
constexpr std::uint32_t kSetAgainDivisor = 2;

// Levels of a tree that the values of a set become: one leaf, or two and a root.
constexpr std::uint32_t kFreshTreeHeight = 2;

}  // namespace

std::uint64_t count_values(const PageView& view, const TreeRoot& tree, Bytes key) {
  Cursor keys(view, tree);
  return keys.seek_exact(key) ? keys.values().count() : 0;
}

bool contains_pair(const PageView& view, const TreeRoot& tree, Bytes key, Bytes value) {
  Cursor keys(view, tree);
  if (!keys.seek_exact(key)) return false;
  const Values values = keys.values();
  if (!values.set) return contains(view, values.tree, value);
  return naming_file(view, [&] { return values.set->lower_bound(value).found; });
}

KeyValues::KeyValues(PageSpace& space, TreeRoot& tree, PairFinger& finger, Bytes key)
    : space_(space), tree_(tree), finger_(finger), key_(key) {
  has_key_ = btree::locate(space, tree, key, finger.keys);
  if (!has_key_) return;
  const Path::Step& step = finger.keys.path.steps[0];
  naming_file(space.view(), [&] {
    const LeafView leaf(space.writer_view().read(step.pointer, 0), space.view().page_bytes);
    const LeafEntry entry = leaf.entry(step.index);
    values_ = Values::of(leaf.page(), entry);
    judge(leaf.page(), entry);
  });
  if (!values_.set && finger.key != key) {
    finger.values.forget();
    finger.key = key;
  }
}

// What is stored again, with little changed, must be what may be stored.
void KeyValues::judge(const std::byte* page, const LeafEntry& entry) const {
  const std::uint32_t page_bytes = space_.view().page_bytes;
  if (entry.key.size() > format::key_bytes_max(page_bytes)) {
    format::damaged(page, "a key is too long");
  }
  const auto key_bytes = static_cast<std::uint32_t>(entry.key.size());
  if (values_.set && entry.value.size() > format::set_bytes_max(key_bytes, page_bytes)) {
    format::damaged(page, "a set of values too long for a leaf");
  }
}

bool KeyValues::locate(Bytes value) {
  if (!has_key_) return false;
  if (!values_.set) return btree::locate(space_, values_.tree, value, finger_.values);
  at_ = naming_file(space_.view(), [&] { return values_.set->lower_bound(value); });
  return at_.found;
}

std::uint32_t KeyValues::pages_needed() const noexcept {
  TreeRoot values = values_.tree;
  if (values.height < kFreshTreeHeight) values.height = kFreshTreeHeight;
  return btree::pages_needed(tree_) + btree::pages_needed(values);
}

void KeyValues::insert(Bytes value) {
  QUIRE_ASSERT(value.size() <= format::key_bytes_max(space_.view().page_bytes));
  if (!has_key_) return insert_first(value);
  if (values_.set) return insert_into_set(value);
  TreeRoot values = values_.tree;
  put_at(space_, values, finger_.values, value, {}, false);
  store_tree(values);
}

void KeyValues::insert_first(Bytes value) {
  const auto key_bytes = static_cast<std::uint32_t>(key_.size());
  const std::size_t set_bytes = format::kSetHeaderBytes + format::kSetSlotBytes + value.size();
  if (set_bytes > format::set_bytes_max(key_bytes, space_.view().page_bytes)) {
    return become_tree(value);
  }
  SetBuffer buffer;
  ValueSetWriter writer(buffer, 1);
  writer.append(value);
  store_set(writer.bytes());
}

void KeyValues::insert_into_set(Bytes value) {
  const auto key_bytes = static_cast<std::uint32_t>(key_.size());
  if (values_.set->bytes_with(value) > format::set_bytes_max(key_bytes, space_.view().page_bytes)) {
    return become_tree(value);
  }
  SetBuffer buffer;
  store_set(
      naming_file(space_.view(), [&] { return set_with(*values_.set, at_.index, value, buffer); }));
}

// Nothing else is changed while the values are read from the leaf.
void KeyValues::become_tree(Bytes value) {
  finger_.values.forget();
  finger_.key = key_;
  TreeRoot values;
  const std::uint32_t count = values_.set ? values_.set->count() : 0;
  naming_file(space_.view(), [&] {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (i == at_.index) put_value(values, value);
      put_value(values, values_.set->value(i));
    }
    if (at_.index == count) put_value(values, value);
  });
  store_tree(values);
}

void KeyValues::put_value(TreeRoot& values, Bytes value) {
  if (btree::locate(space_, values, value, finger_.values)) {
    space_.view().corrupt(tree_.root.page, "values of a set are out of order");
  }
  put_at(space_, values, finger_.values, value, {}, false);
}

void KeyValues::erase() {
  if (values_.set) {
    if (values_.set->count() == 1) return erase_key();
    SetBuffer buffer;
    return store_set(
        naming_file(space_.view(), [&] { return set_without(*values_.set, at_.index, buffer); }));
  }
  TreeRoot values = values_.tree;
  erase_at(space_, values, finger_.values);
  if (!values.root) {
    count_pages(values);
    return erase_key();
  }
  if (!become_set(values)) store_tree(values);
}

void KeyValues::erase_all() {
  if (!values_.set) {
    TreeRoot values = values_.tree;
    clear(space_, values);
    count_pages(values);
  }
  erase_key();
}

void KeyValues::erase_key() {
  finger_.values.forget();
  erase_at(space_, tree_, finger_.keys);
}

// False, and nothing changes, when the values are too many.
bool KeyValues::become_set(const TreeRoot& values) {
  if (values.height > 1) return false;
  const auto key_bytes = static_cast<std::uint32_t>(key_.size());
  const std::uint32_t limit =
      format::set_bytes_max(key_bytes, space_.view().page_bytes) / kSetAgainDivisor;
  SetBuffer buffer;
  const Bytes set = naming_file(space_.view(), [&]() -> Bytes {
    const LeafView leaf(space_.verified(values.root, 0), space_.view().page_bytes);
    std::size_t set_bytes = format::kSetHeaderBytes;
    for (std::uint32_t i = 0; i < leaf.count() && set_bytes <= limit; ++i) {
      set_bytes += format::kSetSlotBytes + leaf.key(i).size();
    }
    if (set_bytes > limit) return {};
    ValueSetWriter writer(buffer, leaf.count());
    for (std::uint32_t i = 0; i < leaf.count(); ++i) writer.append(leaf.key(i));
    return writer.bytes();
  });
  if (set.empty()) return false;
  TreeRoot cleared = values;
  clear(space_, cleared);
  finger_.values.forget();
  count_pages(cleared);
  store_set(set);
  return true;
}

void KeyValues::store_set(Bytes set) {
  put_at(space_, tree_, finger_.keys, key_, {.inline_bytes = set}, has_key_);
}

void KeyValues::store_tree(const TreeRoot& values) {
  if (values.entry_count == 0 || values.extent_pages != 0) {
    space_.view().corrupt(values.root.page, "a tree of values that is not what its key says");
  }
  std::byte reference[format::kSubTreeBytes];
  encode_sub_tree(values, reference);
  put_at(space_, tree_, finger_.keys, key_,
         {.inline_bytes = format::view_of(reference, sizeof reference), .is_sub_tree = true},
         has_key_);
  count_pages(values);
}

// The pages of the values are so many now.
void KeyValues::count_pages(const TreeRoot& values) {
  tree_.extent_pages += pages_of(values) - pages_of(values_.tree);
}

}  // namespace quire::btree
