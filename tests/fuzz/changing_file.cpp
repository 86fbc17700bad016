// Target: operations on a file that a hostile program changes meanwhile, between the operations and
// at the flushes inside them. Data may be wrong then; crashing is still not allowed.
#include <quire/quire.h>

#include <deque>

#include <sys/mman.h>

#include "fuzz/disk.h"
#include "fuzz/hostile_writer.h"
#include "fuzz/mutator.h"
#include "fuzz/session.h"
#include "storage/system.h"

namespace {

using namespace quire;

// What stands between the library and the kernel: the writer strikes at flushes.
fuzz::HostileWriter* writer = nullptr;

int struck_msync(void* address, std::size_t size_bytes, int flags) {
  if (writer != nullptr) writer->at_flush();
  return ::msync(address, size_bytes, flags);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  static fuzz::Disk disk;
  storage::system.msync = struck_msync;
  const fuzz::Input input = fuzz::decode(data, size_bytes);
  disk.store(input.file);
  fuzz::Program program(input.program);
  fuzz::HostileWriter hostile(disk.path());
  writer = &hostile;
  fuzz::Session(disk.path(), program, [&](fuzz::Program& next) { hostile.read(next); }).run();
  writer = nullptr;
  return 0;
}

QUIRE_FUZZ_MUTATE_DATABASE
