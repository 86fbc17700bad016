#include "pages/savepoint_pages.h"

#include <algorithm>

#include "base/assert.h"

namespace quire::pages {

bool PageSet::insert(PageId page) {
  std::uint64_t& word = words_[page.value / kWordPages];
  const bool is_new = (word & bit_of(page)) == 0;
  word |= bit_of(page);
  return is_new;
}

bool PageSet::erase(PageId page) noexcept {
  const auto word = words_.find(page.value / kWordPages);
  if (word == words_.end() || (word->second & bit_of(page)) == 0) return false;
  word->second &= ~bit_of(page);
  if (word->second == 0) words_.erase(word);
  return true;
}

void PageSet::merge(PageSet&& other) {
  if (words_.size() < other.words_.size()) words_.swap(other.words_);
  for (const auto& [word, bits] : other.words_) words_[word] |= bits;
}

std::vector<PageRun> PageSet::runs() const {
  std::vector<PageId> pages;
  for_each([&](PageId page) { pages.push_back(page); });
  std::sort(pages.begin(), pages.end());
  std::vector<PageRun> runs;
  for (const PageId page : pages) {
    if (!runs.empty() && runs.back().first.value + runs.back().page_count == page.value) {
      ++runs.back().page_count;
    } else {
      runs.push_back({page, 1});
    }
  }
  return runs;
}

void SavepointPages::begin(std::uint64_t deferred_tail) {
  since_.emplace_back().deferred_tail = deferred_tail;
}

SavepointPages::Since SavepointPages::end() noexcept {
  QUIRE_ASSERT(is_open());
  Since ended = std::move(since_.back());
  since_.pop_back();
  return ended;
}

void SavepointPages::join(Since&& ended) {
  if (!is_open()) return;
  Since& around = since_.back();
  around.taken.merge(std::move(ended.taken));
  around.left.merge(std::move(ended.left));
  around.taken_runs.insert(around.taken_runs.end(), ended.taken_runs.begin(),
                           ended.taken_runs.end());
}

SavepointPages::Leaving SavepointPages::leave(PageId page) {
  Since& newest = since_.back();
  if (newest.taken.erase(page)) return Leaving::now;
  return newest.left.insert(page) ? Leaving::later : Leaving::twice;
}

}  // namespace quire::pages
