// Entries that come in order behind all others of a tree. Leaves are filled in private memory and
// written in runs, which costs a fraction of faulting each of them into the map and of making it
// dirty there; branches take them in as ever.
//
// While it is open nobody but the appender may read or change the tree: its last leaves are not in
// the file yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "btree/tree.h"
#include "format/leaf_filler.h"

namespace quire::btree {

// Threads: the writer's thread. After an exception only `drop` is allowed, and the tree is
// undefined.
class Appender {
 public:
  bool is_open() const noexcept { return space_ != nullptr; }

  // Opens it behind the entry put last when a run of rising keys has come to the tree's end, and
  // `finger` has located the next one there. False otherwise. The arguments stay where they are
  // until it is closed.
  bool open_in_run(pages::PageSpace& space, format::TreeRoot& tree, Finger& finger);

  // Stores an entry, as put_at does, when it belongs behind all others.
  enum class Outcome {
    stored,
    leaf_full,  // nothing has changed; go on with `append_in_fresh_leaf`
    not_behind  // nothing has changed; close it
  };
  Outcome append(Bytes key, Bytes value);

  // Requires that `append` has said leaf_full of this entry, and pages_needed(tree) free pages.
  void append_in_fresh_leaf(Bytes key, Bytes value);

  // Writes what is in memory only; the finger forgets its place. Throws Errc::io, Errc::no_space.
  void close();

  // Forgets everything, as the transaction is rolled back.
  void drop() noexcept { space_ = nullptr; }

 private:
  void go_right(std::uint32_t level);
  std::byte* leaf() noexcept { return buffer_ + std::size_t{run_count_ - 1} * page_bytes_; }

  pages::PageSpace* space_ = nullptr;
  format::TreeRoot* tree_ = nullptr;
  Finger* finger_ = nullptr;
  std::uint32_t page_bytes_ = 0;
  std::unique_ptr<std::byte[]> memory_;
  std::byte* buffer_ = nullptr;  // the run: aligned for pages, its last leaf is being filled
  PageId run_first_;
  std::uint32_t run_count_ = 0;
  format::LeafFiller filler_;
};

}  // namespace quire::btree
