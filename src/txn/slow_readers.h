// Who reads old states, and what the end of the oldest one would give back.
#pragma once

#include <quire/reader.h>

#include <cstdint>
#include <vector>

#include "txn/space.h"
#include "txn/store.h"

namespace quire::txn {

struct Reader {
  ReaderInfo info;
  std::uint64_t slot = 0;         // tells readers of one state apart
  std::uint64_t pages_alone = 0;  // about how many wait for readers of its state only
};

// Every reader there is, oldest first. Any thread; waits for nobody, so figures are approximate.
std::vector<Reader> list_readers(Store& store);

// Calls on_slow_reader with the oldest reader that the transaction has not been told of, if the end
// of its state's readers would give back `missing_pages`. False: it does not matter, or the answer
// was to go on.
bool tell_of_oldest(Store& store, SpaceContext& context, std::uint64_t missing_pages);

}  // namespace quire::txn
