// The two files of a database in memory: without names, known by descriptors only. Locks belong to
// open descriptions, so whoever uses them opens them anew through /proc/self/fd.
//
// Threads: external synchronisation.
#pragma once

#include <filesystem>

#include "storage/descriptor.h"

namespace quire::storage {

struct MemoryFiles {
  Descriptor data;
  Descriptor region;

  // Both empty. Throws Errc::io.
  static MemoryFiles make();

  // Descriptors of one's own for two that somebody else has made and keeps. Throws Errc::misuse
  // when one is closed, or no file in memory without a name; io.
  static MemoryFiles duplicates(int data, int region);
};

// What such a file can be opened by.
std::filesystem::path link_to(const Descriptor& file);

// What it is called in messages.
std::filesystem::path memory_name(const Descriptor& file, const char* kind);

}  // namespace quire::storage
