// A value that is made where it will stay: its pages are taken first, and it becomes an entry, with
// its checksum and its operation in the log, when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "format/checksum.h"
#include "format/page.h"

namespace quire::txn {

struct OpenTable;

struct ValueInPlace {
  OpenTable* table = nullptr;
  std::string key = {};
  std::uint64_t size_bytes = 0;
  format::ExtentRef extent = {};       // without its checksum; of no pages: the leaf will hold it
  std::vector<std::byte> memory = {};  // where it is made in that case
  std::uint64_t written_bytes = 0;     // of one that is written from beginning to end
  format::RunningChecksum checksum;    // of those

  bool is_inline() const noexcept { return extent.page_count == 0; }
};

}  // namespace quire::txn
