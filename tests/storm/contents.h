// What a storm's database holds: a state whose first entry says everything about it, so that
// whoever sees it can tell whether it is whole, and which one it is.
//
// Threads: one per object.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <filesystem>

#include "support/random.h"

namespace quire::storm {

// Stored with every state, under "head" in the default table.
struct Head {
  std::uint64_t count = 0;    // transactions so far
  std::uint64_t attempt = 0;  // number of the attempt that this transaction was
  std::uint64_t sum = 0;      // over all other entries of the default table, and all pairs
};

// Throws std::runtime_error saying `what` unless it holds.
void require(bool holds, const std::string& what);

Head head_in(const TableView& table);

// The next state: some entries of the default table, every other time some pairs of a multimap, and
// every eighth time the table "rows"; now and then by way of savepoints.
void change(Transaction& transaction, Head& head, test::Random& random);

// Reads every entry of every table. Returns their hash; throws std::runtime_error when they are of
// different states.
std::uint64_t require_whole(const Snapshot& snapshot);
std::uint64_t require_whole(Transaction& transaction);

// A new database with the first state, in a file that is as small as the format allows.
void make_first_state(const std::filesystem::path& file);

}  // namespace quire::storm
