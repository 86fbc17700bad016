// One file as a drive and the page cache may hold it. The file itself is real, in memory, and quire
// maps it; the drive compares it with what it last saw and so knows, of every page, what is
// durable, what the page held since, and what it holds now.
//
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace quire::crash {

inline constexpr std::size_t kPageBytes = 4096;  // what the system writes back at a time
using Page = std::array<std::byte, kPageBytes>;

// Every content that any page ever had, once; 0 is a page of zeros.
using ContentId = std::uint32_t;
class Contents {
 public:
  Contents();
  ContentId intern(const std::byte* page);
  const Page& operator[](ContentId id) const { return pages_[id]; }
  std::uint64_t hash(ContentId id) const { return hashes_[id]; }

 private:
  std::deque<Page> pages_;
  std::vector<std::uint64_t> hashes_;
  std::unordered_multimap<std::uint64_t, ContentId> by_hash_;
};

struct PageState {
  ContentId durable = 0;
  ContentId latest = 0;
  bool is_dirty = false;  // the system will write it back; false with latest != durable: an
                          // error has made the system forget it
  std::vector<ContentId> between;  // what it held since `durable`, oldest first, without `latest`
};

// What the drive may show after a power cut follows from this; what a killed process leaves behind
// is this.
struct DriveState {
  std::vector<PageState> pages;
  // Where the file was longer and is not known to have been cut durably: what the drive still holds
  // of the pages from length() on.
  std::vector<ContentId> cut_off;
  std::uint64_t durable_pages = 0;           // length of the file that a power cut leaves ...
  std::vector<std::uint64_t> other_lengths;  // ... or one of these, in pages
  std::uint64_t length() const noexcept { return pages.size(); }
};

class Drive {
 public:
  // The file is at `path`, at most `window_bytes` long for as long as the drive lives.
  Drive(std::filesystem::path path, std::uint64_t window_bytes);
  ~Drive();
  Drive(const Drive&) = delete;
  Drive& operator=(const Drive&) = delete;

  Contents& contents() noexcept { return *contents_; }
  const DriveState& state() const noexcept { return state_; }

  // Forgets all contents; states and ids from before are void. Between workloads, to bound memory.
  void forget();

  // Makes the file hold `pages`, all of it durable.
  void load(std::span<const ContentId> pages);

  // Makes the file what a killed process left: the newest contents, flushed or not.
  void load(const DriveState& state);

  // Looks at the file. True when anything has changed since the last look.
  bool capture();

  // The length has changed. What was cut off may come back with a power cut, also in pages that the
  // file has gained since, until a flush has reached the end.
  void resized(std::uint64_t bytes);

  // A flush of a range succeeded. Pessimistic where systems differ: the length of a file that has
  // grown is durable only when the flush reached its end.
  void flush(std::uint64_t offset, std::uint64_t size_bytes);
  void flush_all() { flush(0, ~std::uint64_t{0}); }

  // It failed: what it covered is clean for the system, new in memory, old on the drive.
  void fail_flush(std::uint64_t offset, std::uint64_t size_bytes);

  // Equal bytes were stored into a range: it is dirty again.
  void redirty(std::uint64_t offset, std::uint64_t size_bytes);

  // The page cache lets go of clean pages: memory shows what the drive holds.
  void drop_clean();

 private:
  void fit(std::uint64_t page_count);
  void write(std::uint64_t page, ContentId content);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t window_bytes_ = 0;
  std::byte* window_ = nullptr;
  std::unique_ptr<Contents> contents_;
  DriveState state_;
};

}  // namespace quire::crash
