// Copy-on-write B+trees over pages: search, insert, replace, erase. A tree is a value
// (format::TreeRoot); changing it gives new pages and changes that value, never what another holder
// of the old value sees.
//
// Threads: reading functions any number at once; writing functions on the writer's thread.
// Errors: Errc::corrupt naming page and reason where a page contradicts itself. After a writing
// function has thrown, the TreeRoot and the PageSpace are in an undefined (but memory-safe) state:
// the transaction must be rolled back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "btree/finger.h"
#include "format/page.h"
#include "pages/page_space.h"
#include "pages/page_view.h"

namespace quire::btree {

using Bytes = std::string_view;

// The value of `key`, pointing into the map (into the leaf or the extent), valid as long as the
// pages of `tree` are kept; nothing when absent. One descent, no allocation.
std::optional<Bytes> get(const pages::PageView& view, const format::TreeRoot& tree, Bytes key);

// A value as its leaf has it: bytes, or the reference to an extent, whose pages are in the file and
// were not looked at.
struct StoredValue {
  Bytes inline_bytes;
  std::optional<format::ExtentRef> extent;
};

// As `get`, for values that are to be read piece by piece.
std::optional<StoredValue> get_stored(const pages::PageView& view, const format::TreeRoot& tree,
                                      Bytes key);

// The same for many keys: values[i] becomes what `get` gives for keys[i]. The descents go down side
// by side, so that what one waits for from memory is loaded while the others are searched. When it
// throws, `values` holds anything. Requires as many values as keys.
void get_many(const pages::PageView& view, const format::TreeRoot& tree,
              std::span<const Bytes> keys, std::span<std::optional<Bytes>> values);

// Whether the key is there; does not look at its value.
bool contains(const pages::PageView& view, const format::TreeRoot& tree, Bytes key);

// A value to store: bytes for the leaf, or a reference to an extent that already holds them.
struct NewValue {
  Bytes inline_bytes = {};
  const format::ExtentRef* extent = nullptr;  // when set, inline_bytes is ignored
  bool is_sub_tree = false;  // inline_bytes is a reference to a tree of values (multimap.h)
};

// Goes to where `key` is or belongs, for `put_at` or `erase_at` to change the tree there. True when
// the tree has the key. Reads only; one descent at most, none where the last operation was nearby.
bool locate(const pages::PageSpace& space, const format::TreeRoot& tree, Bytes key, Finger& finger);

// Starts loading the leaf in which `key` belongs, if it lies under the same branch as the last
// place of `finger`. Reads only that branch.
void prefetch_leaf(const pages::PageSpace& space, const Finger& finger, Bytes key);

// The value of the entry that `locate` has found, pointing into the map.
Bytes value_at(const pages::PageSpace& space, const Finger& finger);

// Stores an entry where `finger` has located its key; `found` is what `locate` has said. A replaced
// extent is freed, a replaced tree of values is not. `key` and `value.inline_bytes` must not point
// into pages that this transaction has written (the caller copies such arguments first). Requires
// key size <= format::key_bytes_max, inline values as format::is_inline says, and at least
// pages_needed(tree) free pages.
void put_at(pages::PageSpace& space, format::TreeRoot& tree, Finger& finger, Bytes key,
            const NewValue& value, bool found);

// Removes the entry that `finger` has found, and its extent. Underfull pages merge with a sibling
// where both fit in one; empty pages never stay. Requires pages_needed(tree) free pages.
void erase_at(pages::PageSpace& space, format::TreeRoot& tree, Finger& finger);

enum class PutMode {
  upsert,      // insert or replace
  insert_only  // leave an existing entry as it is
};

// `locate` and `put_at`. True when the key was absent before. With insert_only and an existing key
// nothing changes at all.
bool put(pages::PageSpace& space, format::TreeRoot& tree, Bytes key, const NewValue& value,
         PutMode mode);

// `locate` and `erase_at`. False when the key is absent (then nothing changes).
bool erase(pages::PageSpace& space, format::TreeRoot& tree, Bytes key);

// Frees every page and extent of the tree and makes it empty. Cost: reads every page once.
void clear(pages::PageSpace& space, format::TreeRoot& tree);

// Pages that one put or erase may take at most.
std::uint32_t pages_needed(const format::TreeRoot& tree) noexcept;

}  // namespace quire::btree
