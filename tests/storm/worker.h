// One process of a storm: writes or reads until its work is done or its fate ends it.
//
// Threads: one at a time in the process.
#pragma once

#include <cstdint>
#include <filesystem>

#include "storm/fate.h"
#include "storm/world.h"

namespace quire::storm {

struct Orders {
  Fate fate;
  std::uint64_t work_count = 0;  // transactions, snapshots or checks
  bool is_read_only = false;
};

// Carries the orders out in this process, which ends with it: exit code 0, or 1 after noting in the
// world what is not as promised.
[[noreturn]] void work(World& world, Ledger& ledger, const std::filesystem::path& file,
                       const Orders& orders);

// Makes the file with its first state, and promises that.
void prepare(Ledger& ledger, const std::filesystem::path& file);

// Opens the file when all processes are gone, and throws what is not as promised: faults, pages
// that nobody owns, processes or readers that are still counted.
void judge(World& world, Ledger& ledger, const std::filesystem::path& file);

// The program that a process executes in the middle of its transaction: looks at the file as any
// other program would. Exit code.
int look(const std::filesystem::path& file);

}  // namespace quire::storm
