#include "crash/drive.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

namespace quire::crash {
namespace {

std::pair<std::uint64_t, std::uint64_t> pages_of(std::uint64_t offset, std::uint64_t size_bytes,
                                                 std::uint64_t page_count) {
  const std::uint64_t limit = size_bytes > ~offset ? ~std::uint64_t{0} : offset + size_bytes;
  const std::uint64_t end = limit / kPageBytes + (limit % kPageBytes != 0 ? 1 : 0);
  return {std::min(offset / kPageBytes, page_count), std::min(end, page_count)};
}

}  // namespace

Contents::Contents() {
  const Page zeros = {};
  intern(zeros.data());
}

ContentId Contents::intern(const std::byte* page) {
  const std::uint64_t hash = XXH3_64bits(page, kPageBytes);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    if (std::memcmp(pages_[at->second].data(), page, kPageBytes) == 0) return at->second;
  }
  const auto id = static_cast<ContentId>(pages_.size());
  std::memcpy(pages_.emplace_back().data(), page, kPageBytes);
  hashes_.push_back(hash);
  by_hash_.emplace(hash, id);
  return id;
}

Drive::Drive(std::filesystem::path path, std::uint64_t window_bytes)
    : path_(std::move(path)), window_bytes_(window_bytes), contents_(new Contents) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor_ < 0) throw std::runtime_error("cannot open " + path_.string());
  void* window = ::mmap(nullptr, window_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (window == MAP_FAILED) throw std::runtime_error("cannot map " + path_.string());
  window_ = static_cast<std::byte*>(window);
}

Drive::~Drive() {
  ::munmap(window_, window_bytes_);
  ::close(descriptor_);
}

void Drive::forget() {
  contents_ = std::make_unique<Contents>();
  state_ = {};
}

void Drive::fit(std::uint64_t page_count) {
  if (::ftruncate(descriptor_, static_cast<off_t>(page_count * kPageBytes)) != 0 ||
      ::posix_fallocate(descriptor_, 0, static_cast<off_t>(page_count * kPageBytes)) != 0) {
    throw std::runtime_error("cannot resize " + path_.string());
  }
  state_.pages.resize(page_count);
}

void Drive::write(std::uint64_t page, ContentId content) {
  std::memcpy(window_ + page * kPageBytes, (*contents_)[content].data(), kPageBytes);
}

void Drive::load(std::span<const ContentId> pages) {
  fit(pages.size());
  for (std::uint64_t page = 0; page < pages.size(); ++page) {
    state_.pages[page] = {pages[page], pages[page], false, {}};
    write(page, pages[page]);
  }
  state_.durable_pages = pages.size();
  state_.other_lengths.clear();
  state_.cut_off.clear();
}

void Drive::load(const DriveState& state) {
  fit(state.pages.size());
  state_ = state;
  for (std::uint64_t page = 0; page < state_.pages.size(); ++page) {
    write(page, state_.pages[page].latest);
  }
}

bool Drive::capture() {
  bool has_changed = false;
  for (std::uint64_t index = 0; index < state_.pages.size(); ++index) {
    PageState& page = state_.pages[index];
    const std::byte* now = window_ + index * kPageBytes;
    if (std::memcmp(now, (*contents_)[page.latest].data(), kPageBytes) == 0) continue;
    if (page.is_dirty) page.between.push_back(page.latest);
    page.latest = contents_->intern(now);
    page.is_dirty = true;
    has_changed = true;
  }
  return has_changed;
}

void Drive::resized(std::uint64_t bytes) {
  const std::uint64_t page_count = bytes / kPageBytes;
  if (page_count == state_.pages.size()) return;
  state_.other_lengths.push_back(page_count);
  std::vector<ContentId>& cut_off = state_.cut_off;
  while (state_.pages.size() > page_count) {
    cut_off.insert(cut_off.begin(), state_.pages.back().durable);
    state_.pages.pop_back();
  }
  while (state_.pages.size() < page_count) {
    PageState page;
    if (!cut_off.empty()) {
      page.durable = cut_off.front();
      page.is_dirty = true;
      cut_off.erase(cut_off.begin());
    }
    state_.pages.push_back(page);
  }
}

void Drive::flush(std::uint64_t offset, std::uint64_t size_bytes) {
  capture();
  const auto [first, end] = pages_of(offset, size_bytes, state_.pages.size());
  for (std::uint64_t index = first; index < end; ++index) {
    PageState& page = state_.pages[index];
    if (!page.is_dirty) continue;
    page = {page.latest, page.latest, false, {}};
  }
  if (end == state_.pages.size()) {
    state_.durable_pages = end;
    state_.other_lengths.clear();
    state_.cut_off.clear();
  }
}

void Drive::fail_flush(std::uint64_t offset, std::uint64_t size_bytes) {
  capture();
  const auto [first, end] = pages_of(offset, size_bytes, state_.pages.size());
  for (std::uint64_t index = first; index < end; ++index) {
    state_.pages[index].is_dirty = false;
    state_.pages[index].between.clear();
  }
}

void Drive::redirty(std::uint64_t offset, std::uint64_t size_bytes) {
  capture();
  const auto [first, end] = pages_of(offset, size_bytes, state_.pages.size());
  for (std::uint64_t index = first; index < end; ++index) state_.pages[index].is_dirty = true;
}

void Drive::drop_clean() {
  capture();
  for (std::uint64_t index = 0; index < state_.pages.size(); ++index) {
    PageState& page = state_.pages[index];
    if (page.is_dirty || page.latest == page.durable) continue;
    page.latest = page.durable;
    write(index, page.durable);
  }
}

}  // namespace quire::crash
