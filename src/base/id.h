// Strong numbers: a page number, a transaction id and a log position never mix.
#pragma once

#include <compare>
#include <cstdint>

namespace quire {

// Number of a page; its byte offset in the file is id × page size. Page 0 holds a meta, so 0 means
// "none" in trees.
struct PageId {
  std::uint32_t value = 0;
  friend auto operator<=>(const PageId&, const PageId&) = default;
};

// Transactions are numbered in commit order; 0 is "before everything".
struct TxnId {
  std::uint64_t value = 0;
  friend auto operator<=>(const TxnId&, const TxnId&) = default;
};

// Log sequence number: a byte position in the endless log, which the ring in the file holds a
// window of.
struct Lsn {
  std::uint64_t value = 0;
  friend auto operator<=>(const Lsn&, const Lsn&) = default;
};

// A run of neighbouring pages [first, first + page_count).
struct PageRun {
  PageId first;
  std::uint32_t page_count = 0;
  friend bool operator==(const PageRun&, const PageRun&) = default;
};

}  // namespace quire
