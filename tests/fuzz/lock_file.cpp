// Target: any bytes as `<db>.lock` beside a good database. The lock file holds no truth: whoever is
// alone opens the database, finds all that was committed, and uses it.
#include <quire/quire.h>

#include <cstring>

#include <sys/stat.h>

#include "fuzz/disk.h"
#include "fuzz/layout.h"
#include "fuzz/mutator.h"
#include "fuzz/session.h"
#include "fuzz/small_file.h"
#include "fuzz/verdict.h"
#include "shared/layout.h"

namespace {

using namespace quire;

// A database with a commit in its log only.
fuzz::FileBytes make_database(fuzz::Disk& disk) {
  disk.store(fuzz::small_file(format::kPageBytesMin, 160));
  Database database(disk.path(), fuzz::fuzz_options());
  database.put("committed", "value");
  return disk.load();
}

// Makes a lock file that could be this database's name the file that it stands beside.
void claim(const fuzz::Disk& disk, fuzz::FileBytes& lock_file) {
  shared::RegionHeader header;
  if (lock_file.size() < sizeof header) return;
  std::memcpy(&header, lock_file.data(), sizeof header);
  if (header.magic != shared::kRegionMagic) return;
  struct stat status = {};
  if (::stat(disk.path().c_str(), &status) != 0) return;
  header.data_device = status.st_dev;
  header.data_inode = status.st_ino;
  std::memcpy(lock_file.data(), &header, sizeof header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  static fuzz::Disk disk;
  static const fuzz::FileBytes good = make_database(disk);
  fuzz::Input input = fuzz::decode(data, size_bytes);
  disk.store(good);
  claim(disk, input.file);
  disk.store_lock_file(input.file);
  const bool opened = fuzz::allowed([&] {
    Database database(disk.path(), fuzz::fuzz_options());
    if (database.get("committed") != "value") fuzz::finding("a commit is lost");
    if (!check(database).ok()) fuzz::finding("the database is damaged");
  });
  if (!opened) fuzz::finding("a lock file that is left behind keeps a database from being opened");
  fuzz::Program program(input.program);
  fuzz::Session(disk.path(), program).run();
  return 0;
}

QUIRE_FUZZ_MUTATE([](quire::fuzz::Input& input, quire::fuzz::Random& random) {
  quire::fuzz::mutate_lock_file(input, LLVMFuzzerMutate, random);
})
