// Target: opening a hostile file, reading all of it, checking it, closing it, opening it again.
#include "fuzz/disk.h"
#include "fuzz/mutator.h"
#include "fuzz/session.h"
#include "fuzz/verdict.h"
#include "fuzz/walk.h"

namespace {

using namespace quire;

void use(const fuzz::Disk& disk) {
  Database database(disk.path(), fuzz::fuzz_options());
  CheckReport report;
  const bool has_ended = fuzz::allowed([&] { fuzz::judge(report = check(database)); });
  const bool is_sound = has_ended && report.ok();
  const bool was_read = fuzz::allowed([&] { fuzz::walk(database, is_sound); });
  if (is_sound && !was_read) fuzz::finding("check called it sound, and it cannot be read");
  fuzz::allowed([&] { static_cast<void>(stat(database)); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  static fuzz::Disk disk;
  const fuzz::Input input = fuzz::decode(data, size_bytes);
  disk.store(input.file);
  if (fuzz::allowed([&] { use(disk); })) fuzz::allowed([&] { use(disk); });
  return 0;
}

QUIRE_FUZZ_MUTATE_DATABASE
