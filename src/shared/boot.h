// Which start of the system this is.
#pragma once

#include <cstdint>

namespace quire::shared {

inline constexpr std::uint32_t kUnknownBoot = 1;

// Names the running boot of the system, never 0: tells what a file says now from what it said
// before a power cut. The same in all containers of a machine; kUnknownBoot where the system does
// not say. Threads: any.
std::uint32_t boot_here();

// False when the word is 0, or somebody has stored his `boot_here` before this boot. A process
// without /proc cannot tell, nor can others of such a process's word: they believe it.
bool may_be_of_this_boot(std::uint32_t word);

}  // namespace quire::shared
