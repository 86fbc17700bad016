// Which start of the system this is.
#pragma once

#include <cstdint>

namespace quire::shared {

// Names the running boot of the system, never 0: tells what a file says now from what it said
// before a power cut. The same in all containers of a machine; 1 where the system does not say.
// Threads: any.
std::uint32_t boot_here();

}  // namespace quire::shared
