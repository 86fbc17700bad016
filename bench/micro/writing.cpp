// What a commit is made of: copies of pages, pages taken and freed, a record in the log.
#include <cstring>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "log/log.h"
#include "micro/pages_in_memory.h"

namespace {

using namespace quire;

constexpr std::uint32_t kPageBytes = 4096;
constexpr std::uint32_t kPageCount = 1 << 15;
constexpr std::uint32_t kPagesOfATransaction = 64;

// A page of an older transaction made writable, as each put does with some; its old one is freed,
// and taken again some transactions later.
void PageCopy(benchmark::State& state) {
  bench::AllocatorInMemory allocator(kPageCount);
  const std::unique_ptr<std::byte[]> memory(new std::byte[std::size_t{kPageCount} * kPageBytes]);
  std::memset(memory.get(), 0, std::size_t{kPageCount} * kPageBytes);
  pages::PageView view;
  view.base = memory.get();
  view.page_bytes = kPageBytes;
  view.page_count = kPageCount;
  std::vector<format::PagePtr> pointers(kPagesOfATransaction);
  {
    pages::PageSpace space(view, memory.get(), allocator.get(), allocator.txn(), TxnId{0});
    for (auto& pointer : pointers) space.create(0, &pointer);
  }
  for (auto _ : state) {
    allocator.commit_and_sweep();
    pages::PageSpace space(view, memory.get(), allocator.get(), allocator.txn(), TxnId{0});
    for (auto& pointer : pointers) benchmark::DoNotOptimize(space.writable(pointer, 0));
  }
  state.SetItemsProcessed(state.iterations() * kPagesOfATransaction);
}

void AllocatePage(benchmark::State& state) {
  bench::AllocatorInMemory allocator(kPageCount);
  std::vector<PageId> pages(kPagesOfATransaction);
  for (auto _ : state) {
    for (PageId& page : pages) page = allocator.get().allocate();
    for (const PageId page : pages) {
      allocator.get().free_later({page, 1}, allocator.txn(), false);
    }
    allocator.commit_and_sweep();
  }
  state.SetItemsProcessed(state.iterations() * kPagesOfATransaction);
}

// Of 1 MiB, behind a million free pages of which no two are neighbours.
void AllocateRunBehindHoles(benchmark::State& state) {
  constexpr std::uint32_t kHoles = 1'000'000;
  constexpr std::uint32_t kRunPages = 256;
  bench::AllocatorInMemory allocator(2 * kHoles + 64 * kRunPages);
  bench::scatter(allocator.get(), kHoles);
  for (auto _ : state) {
    const auto first = allocator.get().allocate_run(kRunPages);
    if (!first) {
      state.SkipWithError("no run is free");
      return;
    }
    allocator.get().free_later({*first, kRunPages}, allocator.txn(), false);
    state.PauseTiming();
    allocator.commit_and_sweep();
    state.ResumeTiming();
  }
}

void LogAppend(benchmark::State& state) {
  constexpr std::size_t kRingBytes = std::size_t{1} << 22;
  const std::unique_ptr<std::byte[]> memory(new std::byte[kRingBytes]);
  std::memset(memory.get(), 0, kRingBytes);
  const log::Ring ring{
      .read = memory.get(), .memory = memory.get(), .size_bytes = kRingBytes, .seed = 4711};
  std::vector<std::byte> record(sizeof(format::RecordHeader) +
                                static_cast<std::size_t>(state.range(0)));
  log::Tail tail;
  format::RecordHeader header{};
  for (auto _ : state) {
    header.previous_txn = header.txn++;
    tail = log::append(ring, tail, header, record);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

BENCHMARK(PageCopy);
BENCHMARK(AllocatePage);
BENCHMARK(AllocateRunBehindHoles);
BENCHMARK(LogAppend)->Arg(128)->Arg(4096)->Arg(128 << 10);

}  // namespace
