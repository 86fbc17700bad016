// Target: operations on a hostile file.
#include "fuzz/disk.h"
#include "fuzz/mutator.h"
#include "fuzz/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace quire;
  static fuzz::Disk disk;
  const fuzz::Input input = fuzz::decode(data, size_bytes);
  disk.store(input.file);
  fuzz::Program program(input.program);
  fuzz::Session(disk.path(), program).run();
  return 0;
}

QUIRE_FUZZ_MUTATE_DATABASE
