// A damaged file as salvage sees it: which bytes prove what they are. Decides nothing about tables.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "btree/key_range.h"
#include "format/meta.h"
#include "pages/page_view.h"
#include "storage/still_file.h"

namespace quire::db {

// Threads: one. Never writes.
class SalvageSource {
 public:
  // Throws Errc::busy (somebody has it open), io, not_a_database, wrong_version, and corrupt when
  // neither metas nor space map can be made out.
  SalvageSource(const std::filesystem::path& path, bool guards_faults);
  SalvageSource(const SalvageSource&) = delete;
  SalvageSource& operator=(const SalvageSource&) = delete;

  const pages::PageView& view() const noexcept { return view_; }

  // The last checkpoint. Its roots and log are known only where `has_meta`.
  const format::Meta& meta() const noexcept { return meta_; }
  bool has_meta() const noexcept { return has_meta_; }

  // Whether the space map is whole, and a page in use by the checkpoint. Pages that no tree uses
  // (metas, maps, the log) do not count.
  bool has_marks() const noexcept { return has_marks_; }
  bool is_marked(std::uint64_t page) const noexcept { return marks_[page]; }

  // How many pages may be read at most.
  std::uint64_t expected_pages() const noexcept;

  // What holds for all that is read here, for people.
  const std::vector<std::string>& doubts() const noexcept { return doubts_; }

  // Why the branch or leaf that a pointer means is not whole, or holds other keys than `keys`;
  // empty when it is. Nothing of such a page is to be believed: which byte is wrong is unknown.
  std::string fault_of(format::PagePtr pointer, std::uint32_t level,
                       const btree::KeyRange& keys) const;
  std::string fault_of(const format::ExtentRef& extent) const;

 private:
  bool take_a_meta();
  void take_pages();
  void set_geometry(std::uint32_t page_bytes, std::uint64_t seed) noexcept;
  bool is_plausible_page(std::uint64_t page) const noexcept;
  bool proves_seed(std::uint64_t seed) const noexcept;
  void read_marks();
  void mark_pages_of(std::uint32_t map_page, std::uint32_t index);
  void unmark(const format::StoredRun& run) noexcept;

  storage::StillFile file_;
  std::string name_;
  pages::PageView view_;
  format::Meta meta_;
  bool has_meta_ = false;
  bool has_seed_ = true;
  bool has_marks_ = false;
  std::vector<bool> marks_;
  std::vector<std::string> doubts_;
};

}  // namespace quire::db
