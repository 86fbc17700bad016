// fuzz-seeds DIRECTORY: writes the seeds of each target into DIRECTORY/TARGET.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "fuzz/seeds.h"

namespace {

using quire::fuzz::Seed;

void write(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

void write(const std::filesystem::path& directory, const std::vector<Seed>& seeds) {
  for (const Seed& seed : seeds) write(directory / seed.name, encode(seed.input));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz-seeds DIRECTORY\n");
    return 2;
  }
  const std::filesystem::path root = argv[1];
  const std::vector<Seed> good = quire::fuzz::good_databases();
  const std::vector<Seed> crafted = quire::fuzz::crafted_databases(good);
  for (const char* target : {"open_file", "use_file", "changing_file"}) {
    write(root / target, good);
    write(root / target, crafted);
  }
  write(root / "log_ring", quire::fuzz::rings());
  write(root / "pages", quire::fuzz::single_pages());
  write(root / "lock_file", quire::fuzz::lock_files());
  int number = 0;
  for (const std::string& bytes : quire::fuzz::load_inputs()) {
    write(root / "load_input" / std::to_string(++number), bytes);
  }
  return 0;
}
