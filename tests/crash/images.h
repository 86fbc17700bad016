// From one moment of a run to the files that a crash at that moment may leave.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crash/drive.h"
#include "crash/history.h"
#include "crash/machine.h"
#include "support/random.h"

namespace quire::crash {

using test::Random;

// A moment of a run.
struct Cut {
  std::string place;
  DriveState drive;
  Window window;
  RegionWords region = {};
  bool has_failed = false;      // a flush had, before
  bool is_in_recovery = false;  // the database was being opened

  // A meta page has been stored and not flushed.
  bool has_meta_in_flight() const noexcept;
};

enum class Damage : std::uint8_t {
  none,
  meta,   // one of the two metas is gone
  record  // bytes of the live log have changed
};

struct Image {
  std::vector<ContentId> pages;
  Damage damage = Damage::none;
  bool has_torn_meta = false;  // one of the two was torn on purpose
  std::string what;
  std::uint64_t hash = 0;
};

// The power cuts of one moment. Every page that is not flushed is, independently of all others, as
// it was at the last flush, as it is now, as it was in between, or torn.
class PowerCuts {
 public:
  PowerCuts(Contents& contents, const Cut& cut);

  // Some of them, at most `limit`, different for different states of `random`; all combinations of
  // old and new where they are no more than that.
  std::vector<Image> choose(std::uint64_t limit, Random& random);

  // One in which the meta page that was being stored is torn inside its record, and the other one
  // is whole; nothing when none was being stored.
  std::optional<Image> with_torn_meta(Random& random);

  // The same file with one of its metas or a piece of its live log damaged; nothing where that
  // could not be told from an ordinary crash.
  std::optional<Image> damaged(Damage damage, Random& random);

 private:
  static constexpr std::size_t kAllSubsetsMax = 12;  // pages

  Image subset(std::uint64_t newer);  // bit i: the i-th dirty page is new
  Image listed(std::uint64_t number, Random& random);
  std::uint64_t listed_count() const noexcept;
  Image any_versions(Random& random);
  Image torn(Random& random);
  ContentId torn_page(const PageState& page, Random& random);
  Image with(const std::vector<ContentId>& chosen, std::string what);
  void cut_length(Image& image, Random& random) const;
  void finish(Image& image) const;

  Contents& contents_;
  const Cut& cut_;
  std::vector<std::size_t> dirty_;
};

}  // namespace quire::crash
