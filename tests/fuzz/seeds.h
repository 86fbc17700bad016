// The inputs that fuzzers begin with, made by code: good databases of several shapes, and the
// shapes behind bugs that crafted files have found in stores of this kind.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fuzz/fuzz_input.h"

namespace quire::fuzz {

struct Seed {
  std::string name;
  Input input;
};

std::vector<Seed> good_databases();
std::vector<Seed> crafted_databases(const std::vector<Seed>& good);
std::vector<Seed> lock_files();
std::vector<Seed> rings();
std::vector<Seed> single_pages();
std::vector<std::string> load_inputs();  // as they are, not encoded

}  // namespace quire::fuzz
