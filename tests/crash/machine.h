// A computer with one drive and one database file, whose power can be cut and whose processes can
// be killed: what a workload runs on and what an image is loaded into.
//
// Threads: one; one machine at a time.
#pragma once

#include <quire/quire.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "crash/drive.h"
#include "crash/seam.h"
#include "shared/layout.h"
#include "support/scratch.h"

namespace quire::crash {

// What a region says when nobody uses it any more.
using RegionWords = std::array<std::byte, sizeof(shared::Control)>;

class Machine {
 public:
  static constexpr std::uint64_t kFileBytesMax = 1 << 20;

  Machine();

  Drive& drive() noexcept { return drive_; }
  Seam& seam() noexcept { return seam_; }

  // The database is opened through it, and the handle lives here.
  void open();
  void close();
  bool is_open() const noexcept { return database_.has_value(); }
  Database& database() noexcept { return *database_; }

  // In a forked child: the same file, as another process.
  Database open_another() const;

  // Kills every process: the database is gone without a close, the page cache stays.
  void kill();

  // The database goes away without touching the drive any more. For what has failed.
  void abandon();

  // Starts with this file after a power cut, with or without a lock file from before.
  void boot(std::span<const ContentId> pages, bool has_lock_file);

  // Starts with this page cache and drive, after the last process was killed.
  void restart(const DriveState& drive, const RegionWords& region);

  RegionWords region() const;

 private:
  void set_region(const RegionWords& region);

  test::ScratchDirectory directory_;
  std::filesystem::path path_;
  std::filesystem::path lock_path_;
  Drive drive_;
  Seam seam_;
  std::optional<Database> database_;
};

}  // namespace quire::crash
