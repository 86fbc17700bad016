// Search inside pages: in one that is in the first cache, and in many that are not.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "format/branch.h"
#include "format/leaf.h"

namespace {

using namespace quire::format;

constexpr std::uint32_t kPageBytes = 4096;
constexpr std::size_t kKeyBytes = 16;

std::uint64_t mix(std::uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

std::string key_of(std::uint64_t number) {
  const std::uint64_t halves[] = {mix(number), mix(number + 1)};
  return {reinterpret_cast<const char*>(halves), kKeyBytes};
}

// Pages next to each other, and keys of each of them.
struct Pages {
  explicit Pages(std::size_t count)
      : bytes(static_cast<std::byte*>(std::aligned_alloc(kPageBytes, count * kPageBytes))),
        keys(count) {
    std::memset(bytes.get(), 0, count * kPageBytes);
  }
  std::byte* at(std::size_t index) const { return bytes.get() + index * kPageBytes; }

  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<std::byte[], Free> bytes;
  std::vector<std::string> keys;
};

Pages leaves(std::size_t count, std::size_t value_bytes) {
  Pages pages(count);
  std::uint64_t number = 0;
  const std::string value(value_bytes, 'v');
  for (std::size_t i = 0; i < count; ++i) {
    pages.keys[i] = key_of(++number);
    leaf_start(pages.at(i), kPageBytes, {.key = pages.keys[i], .value = value});
    for (;;) {
      const std::string key = key_of(++number);
      const auto place = LeafView(pages.at(i), kPageBytes).lower_bound(key);
      if (!leaf_insert(pages.at(i), kPageBytes, place.index, {.key = key, .value = value})) break;
    }
  }
  return pages;
}

Pages branches(std::size_t count) {
  Pages pages(count);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < count; ++i) {
    branch_start(pages.at(i), kPageBytes, {1, 1});
    for (;;) {
      const std::string key = key_of(++number);
      const std::uint32_t child = BranchView(pages.at(i), kPageBytes).search(key);
      const auto separator = std::string_view(key).substr(0, 6);
      if (!branch_insert(pages.at(i), kPageBytes, child + 1, separator, {1, 1})) break;
    }
    pages.keys[i] = key_of(mix(number));
  }
  return pages;
}

// A step that visits all of up to a power of two of them, and none twice in a row.
std::size_t next_of(std::size_t index, std::size_t count) { return (index * 5 + 1) % count; }

void LeafFind(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Pages pages = leaves(count, 100);
  std::size_t index = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(LeafView(pages.at(index), kPageBytes).find(pages.keys[index]));
    index = next_of(index, count);
  }
}

void LeafLowerBound(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Pages pages = leaves(count, 100);
  std::size_t index = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(LeafView(pages.at(index), kPageBytes).lower_bound(pages.keys[index]));
    index = next_of(index, count);
  }
}

void BranchSearch(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Pages pages = branches(count);
  std::size_t index = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(BranchView(pages.at(index), kPageBytes).search(pages.keys[index]));
    index = next_of(index, count);
  }
}

// Into a leaf that is copied anew when it is full.
void LeafInsert(benchmark::State& state) {
  const Pages pages(1);
  const std::string value(100, 'v');
  std::uint64_t number = 0;
  leaf_start(pages.at(0), kPageBytes, {.key = key_of(0), .value = value});
  for (auto _ : state) {
    const std::string key = key_of(++number);
    const LeafEntry entry{.key = key, .value = value};
    const auto place = LeafView(pages.at(0), kPageBytes).lower_bound(key);
    if (!leaf_insert(pages.at(0), kPageBytes, place.index, entry)) {
      leaf_start(pages.at(0), kPageBytes, entry);
    }
  }
}

BENCHMARK(LeafFind)->Arg(1)->Arg(1 << 15);
BENCHMARK(LeafLowerBound)->Arg(1)->Arg(1 << 15);
BENCHMARK(BranchSearch)->Arg(1)->Arg(1 << 15);
BENCHMARK(LeafInsert);

}  // namespace
