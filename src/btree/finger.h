// Where in a tree the last operation of a transaction has ended. The next one nearby begins there
// instead of at the root, so that input in order touches each page once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/page.h"

namespace quire::btree {

// The way from the root to a leaf.
struct Path {
  struct Step {
    format::PagePtr pointer;
    std::uint32_t index = 0;     // of the child taken; in the leaf, of the first entry >= key
    std::uint32_t count = 0;     // children or entries
    std::byte* bytes = nullptr;  // the page, once it is writable
  };
  Step steps[format::kTreeHeightMax];  // by level
};

// Threads: the writer's thread. Belongs to one tree inside one transaction, whose changes all go
// through it; whoever changes the tree in another way calls `forget`. After an exception it is
// undefined like the tree.
struct Finger {
  Path path;
  std::uint32_t height = 0;     // of the path; 0: nowhere
  std::uint32_t run_count = 0;  // new entries, each put right behind the one before it

  void forget() noexcept { height = run_count = 0; }
};

}  // namespace quire::btree
