// Finding runs: in each area that may have one, by what its hint says, word by word. A search that
// finds none lowers the hint; whatever clears bits raises it first, so that a death in between
// leaves it too high, never too low.
#include <algorithm>
#include <bit>

#include "pages/allocator.h"

namespace quire::pages {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kRelease = std::memory_order_release;

// Neighbours that are counted when bits are cleared, on each side: where there are more, any run is
// expected.
constexpr std::uint64_t kNeighboursCounted = 512;

// Where `count` neighbouring bits of `clear` are set; nothing unless they are within the word.
std::optional<std::uint64_t> run_within(std::uint64_t clear, std::uint64_t count) noexcept {
  if (static_cast<std::uint64_t>(std::popcount(clear)) < count) return std::nullopt;
  // After each step a bit stands for `known` bits from there on.
  for (std::uint64_t known = 1; known < count;) {
    const std::uint64_t more = std::min(known, count - known);
    clear &= clear >> more;
    known += more;
  }
  if (clear == 0) return std::nullopt;
  return static_cast<std::uint64_t>(std::countr_zero(clear));
}

}  // namespace

// Clear bits from `page` on, as far as `limit`.
std::uint64_t Allocator::clear_from(std::uint64_t page, std::uint64_t limit) const noexcept {
  const std::uint64_t first = page;
  while (page < limit) {
    const std::uint64_t bit = page % kWordBits;
    const std::uint64_t used = words()[page / kWordBits].load(kRelaxed) >> bit;
    if (used != 0) {
      page += static_cast<std::uint64_t>(std::countr_zero(used));
      break;
    }
    page += kWordBits - bit;
  }
  return std::min(page, limit) - first;
}

// Clear bits right before `page`, as far down as `limit`.
std::uint64_t Allocator::clear_before(std::uint64_t page, std::uint64_t limit) const noexcept {
  const std::uint64_t end = page;
  while (page > limit) {
    const std::uint64_t count = (page - 1) % kWordBits + 1;  // bits of this word below `page`
    const std::uint64_t used = words()[(page - 1) / kWordBits].load(kRelaxed)
                               << (kWordBits - count);
    const auto clear = static_cast<std::uint64_t>(std::countl_zero(used));
    if (clear < count) return end - std::max(page - clear, limit);
    page -= count;
  }
  return end - std::max(page, limit);
}

// Raises what the areas of a run say to what they will have when its bits are clear.
void Allocator::expect_run(PageRun run) noexcept {
  const std::uint64_t end = std::uint64_t{run.first.value} + run.page_count;
  for (std::uint64_t first = run.first.value; first < end;) {
    const std::uint64_t begins = first / kAreaPages * kAreaPages;
    const std::uint64_t ends = begins + kAreaPages;
    const std::uint64_t limit = std::min(end, ends);
    Area& area = areas()[first / kAreaPages];
    const std::uint64_t known = area.longest_run.load(kRelaxed);
    if (known < area.free_pages.load(kRelaxed) + (limit - first)) {
      const std::uint64_t low = std::max(begins, first - std::min(first, kNeighboursCounted));
      const std::uint64_t high = std::min({ends, limit + kNeighboursCounted, file_pages()});
      const std::uint64_t before = clear_before(first, low);
      const std::uint64_t after = clear_from(limit, high);
      const bool is_long = before == kNeighboursCounted || after == kNeighboursCounted;
      const std::uint64_t length = is_long ? kAreaPages : before + (limit - first) + after;
      if (length > known) area.longest_run.store(static_cast<std::uint32_t>(length), kRelease);
    }
    first = limit;
  }
}

// The lowest run within an area.
std::optional<PageId> Allocator::find_run_in(std::uint64_t area,
                                             std::uint64_t page_count) const noexcept {
  const std::uint64_t limit = std::min((area + 1) * kAreaPages, file_pages());
  std::uint64_t run = 0;  // clear bits right before `page`
  for (std::uint64_t page = area * kAreaPages; page < limit; page += kWordBits) {
    std::uint64_t clear = ~words()[page / kWordBits].load(kRelaxed);
    if (limit - page < kWordBits) clear &= (std::uint64_t{1} << (limit - page)) - 1;
    const auto begins = static_cast<std::uint64_t>(std::countr_one(clear));
    if (run + begins >= page_count) return PageId{static_cast<std::uint32_t>(page - run)};
    if (begins == kWordBits) {
      run += kWordBits;
      continue;
    }
    if (const auto bit = run_within(clear, page_count)) {
      return PageId{static_cast<std::uint32_t>(page + *bit)};
    }
    run = static_cast<std::uint64_t>(std::countl_one(clear));
  }
  return std::nullopt;
}

std::optional<PageId> Allocator::lowest_run(std::uint64_t page_count) const noexcept {
  const std::uint64_t limit = file_pages();
  std::uint64_t run = 0;  // clear bits right before the area
  for (std::uint64_t area = control_.lowest_free.load(kRelaxed) / kAreaPages;
       area * kAreaPages < limit; ++area) {
    const std::uint64_t first = area * kAreaPages;
    const std::uint64_t end = std::min(first + kAreaPages, limit);
    Area& hints = areas()[area];
    if (hints.free_pages.load(kRelaxed) == 0) {
      run = 0;
      continue;
    }
    const std::uint64_t begins = clear_from(first, end);
    if (run + begins >= page_count) return PageId{static_cast<std::uint32_t>(first - run)};
    if (begins == end - first) {
      run += begins;
      continue;
    }
    if (hints.longest_run.load(kRelaxed) >= page_count) {
      if (const auto found = find_run_in(area, page_count)) return found;
      hints.longest_run.store(static_cast<std::uint32_t>(page_count - 1), kRelease);
    }
    run = clear_before(end, first);
  }
  return std::nullopt;
}

}  // namespace quire::pages
