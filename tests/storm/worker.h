// One process of a storm: writes or reads until its work is done or a crash point kills it.
//
// Threads: one per process.
#pragma once

#include <cstdint>
#include <filesystem>

#include "storm/world.h"

namespace quire::storm {

enum class Role : std::uint8_t { writer, reader, checker };

struct Orders {
  Role role = Role::reader;
  std::uint64_t seed = 0;
  std::uint64_t work_count = 0;     // transactions, snapshots or checks
  const char* slow_at = nullptr;    // crash point at which it pauses each time; null: none
  const char* kill_at = nullptr;    // crash point; null: none
  std::uint64_t kill_on_visit = 0;  // 1: the first time that it is reached
};

// Carries the orders out in this process, which ends with it: exit code 0, or 1 after noting in the
// world what is not as promised.
[[noreturn]] void work(World& world, const std::filesystem::path& file, const Orders& orders);

// What a ledger holds before its first transaction.
void prepare(const std::filesystem::path& file);

// Opens the file and judges it when all processes are gone; throws what is not as promised.
void judge(World& world, const std::filesystem::path& file);

}  // namespace quire::storm
