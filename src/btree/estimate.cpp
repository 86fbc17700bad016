#include "btree/estimate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "btree/path.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {
namespace {

using format::BranchView;
using format::kTreeHeightMax;
using format::LeafView;
using format::PagePtr;
using format::TreeRoot;
using pages::PageView;

// The way down to one end of a range.
struct Way {
  struct Step {
    std::uint32_t index = 0;  // of the child; in the leaf, of the first entry that is not before
    std::uint32_t count = 0;
  };
  std::array<Step, kTreeHeightMax> steps;  // by level
};

// To the first entry >= `key`, or behind the last one.
Way way_to(const PageView& view, const TreeRoot& tree, std::optional<Bytes> key) {
  Way way;
  PagePtr pointer = tree.root;
  for (std::uint32_t level = tree.height; --level > 0;) {
    const BranchView branch(view.read(pointer, level), view.page_bytes);
    const std::uint32_t index = key ? branch.search(*key) : branch.count() - 1;
    way.steps[level] = {index, branch.count()};
    pointer = branch.child(index);
    prefetch(view, pointer, level - 1);
  }
  const LeafView leaf(view.read(pointer, 0), view.page_bytes);
  way.steps[0] = {key ? leaf.lower_bound(*key).index : leaf.count(), leaf.count()};
  return way;
}

// Entries below a page of each level, on average.
using Averages = std::array<double, kTreeHeightMax>;

// Known are the pages of level 0, of the root's and of the one below it, and how many there are of
// all others together: as if these had the same number of children everywhere.
Averages averages(const TreeRoot& tree, std::uint32_t root_count) {
  const auto entries = static_cast<double>(tree.entry_count);
  const std::uint32_t height = tree.height;
  Averages average = {};
  average[height - 1] = entries;
  if (height > 1) average[height - 2] = entries / root_count;
  if (height < 3) return average;
  average[0] = entries / static_cast<double>(std::max<std::uint64_t>(tree.leaf_pages, 1));
  const std::uint32_t unknown = height - 3;  // levels
  const double others = std::max(static_cast<double>(tree.branch_pages) - 1 - root_count, 1.0);
  double low = 1;
  double high = std::max(others, 1.0);
  for (int step = 0; step < 60; ++step) {
    const double children = (low + high) / 2;
    double pages = root_count;
    double sum = 0;
    for (std::uint32_t level = 0; level < unknown; ++level) sum += pages *= children;
    (sum < others ? low : high) = children;
  }
  double pages = root_count;
  for (std::uint32_t level = height - 3; level > 0; --level) {
    average[level] = entries / (pages *= low);
  }
  return average;
}

// Entries before the way, below its page at `level`; and from it on.
double before(const Way& way, std::uint32_t level, const Averages& average) {
  double entries = way.steps[0].index;
  for (; level > 0; --level) entries += way.steps[level].index * average[level - 1];
  return entries;
}

double behind(const Way& way, std::uint32_t level, const Averages& average) {
  double entries = way.steps[0].count - way.steps[0].index;
  for (; level > 0; --level) {
    entries += (way.steps[level].count - 1 - way.steps[level].index) * average[level - 1];
  }
  return entries;
}

}  // namespace

std::uint64_t estimate(const PageView& view, const TreeRoot& tree, Bytes first,
                       std::optional<Bytes> limit) {
  if (!tree.root || (limit && *limit <= first)) return 0;
  check_height(view, tree.root, tree.height);
  return naming_file(view, [&]() -> std::uint64_t {
    const Way from = way_to(view, tree, first);
    const Way to = way_to(view, tree, limit);
    std::uint32_t level = tree.height - 1u;
    while (level > 0 && from.steps[level].index == to.steps[level].index) --level;
    const std::uint32_t left = from.steps[level].index;
    const std::uint32_t right = to.steps[level].index;
    if (right <= left) return 0;
    if (level == 0) return right - left;
    if (level == 1 && right == left + 1) {  // neighbouring leaves
      return std::uint64_t{from.steps[0].count} - from.steps[0].index + to.steps[0].index;
    }
    const Averages average = averages(tree, from.steps[tree.height - 1u].count);
    const auto all = static_cast<double>(tree.entry_count);
    const double inside = behind(from, level - 1, average) +
                          (right - left - 1) * average[level - 1] + before(to, level - 1, average);
    const double outside =
        before(from, tree.height - 1u, average) + behind(to, tree.height - 1u, average);
    const double estimated = inside <= outside ? inside : all - outside;
    if (estimated >= all) return tree.entry_count;
    return static_cast<std::uint64_t>(std::llround(std::max(estimated, 0.0)));
  });
}

}  // namespace quire::btree
