#include "crash/images.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <xxhash.h>

#include "format/meta.h"

namespace quire::crash {
namespace {

constexpr std::size_t kSectorBytes = 512;
constexpr std::uint64_t kRandomSubsets = 64;
constexpr std::uint64_t kTornImages = 24;
constexpr std::uint64_t kLiveLogBytes = 3000;  // from the log's start on: there are most records
constexpr std::size_t kMetaPages[] = {format::kMetaOffset[0] / kPageBytes,
                                      format::kMetaOffset[1] / kPageBytes};

bool is_meta(std::size_t page) { return page == kMetaPages[0] || page == kMetaPages[1]; }

std::vector<ContentId> versions_of(const PageState& page) {
  std::vector<ContentId> versions{page.durable};
  versions.insert(versions.end(), page.between.begin(), page.between.end());
  versions.push_back(page.latest);
  return versions;
}

format::Meta meta_in(const Page& page) {
  format::Meta meta;
  std::memcpy(static_cast<void*>(&meta), page.data(), sizeof meta);
  return meta;
}

}  // namespace

bool Cut::has_meta_in_flight() const noexcept {
  return std::any_of(std::begin(kMetaPages), std::end(kMetaPages),
                     [&](std::size_t page) { return drive.pages[page].is_dirty; });
}

PowerCuts::PowerCuts(Contents& contents, const Cut& cut) : contents_(contents), cut_(cut) {
  for (std::size_t page = 0; page < cut.drive.pages.size(); ++page) {
    if (cut.drive.pages[page].is_dirty) dirty_.push_back(page);
  }
}

std::vector<Image> PowerCuts::choose(std::uint64_t limit, Random& random) {
  std::vector<Image> images;
  const bool is_small = dirty_.size() <= kAllSubsetsMax;
  const std::uint64_t subsets = is_small ? std::uint64_t{1} << dirty_.size() : 0;
  if (is_small && subsets + kTornImages <= limit) {
    for (std::uint64_t newer = 0; newer < subsets; ++newer) images.push_back(subset(newer));
    if (!dirty_.empty()) {
      for (std::uint64_t index = 0; index < kTornImages; ++index) images.push_back(torn(random));
    }
  } else {
    for (std::uint64_t index = 0; index < limit; ++index) {
      images.push_back(listed(random.below(listed_count()), random));
    }
  }
  for (Image& image : images) {
    cut_length(image, random);
    finish(image);
  }
  return images;
}

std::uint64_t PowerCuts::listed_count() const noexcept {
  return 4 + 4 * dirty_.size() + kRandomSubsets + kTornImages;
}

// None, all, the metas alone, all but the metas; then for every page it alone, all but it, all up
// to it, all from it on; then chance.
Image PowerCuts::listed(std::uint64_t number, Random& random) {
  const auto chosen = [&](auto&& is_new, std::string what) {
    std::vector<ContentId> versions;
    for (const std::size_t page : dirty_) {
      const PageState& state = cut_.drive.pages[page];
      versions.push_back(is_new(page) ? state.latest : state.durable);
    }
    return with(versions, std::move(what));
  };
  if (number == 0) return chosen([](std::size_t) { return false; }, "nothing written");
  if (number == 1) return chosen([](std::size_t) { return true; }, "all written");
  if (number == 2) return chosen([](std::size_t page) { return is_meta(page); }, "metas only");
  if (number == 3) return chosen([](std::size_t page) { return !is_meta(page); }, "all but metas");
  number -= 4;
  if (number < 4 * dirty_.size()) {
    const std::size_t one = dirty_[number / 4];
    const std::string name = "page " + std::to_string(one);
    switch (number % 4) {
      case 0:
        return chosen([&](std::size_t page) { return page == one; }, "only " + name);
      case 1:
        return chosen([&](std::size_t page) { return page != one; }, "all but " + name);
      case 2:
        return chosen([&](std::size_t page) { return page <= one; }, "up to " + name);
      default:
        return chosen([&](std::size_t page) { return page >= one; }, "from " + name);
    }
  }
  number -= 4 * dirty_.size();
  if (number >= kRandomSubsets && !dirty_.empty()) return torn(random);
  return any_versions(random);
}

Image PowerCuts::subset(std::uint64_t newer) {
  std::vector<ContentId> versions;
  for (std::size_t index = 0; index < dirty_.size(); ++index) {
    const PageState& state = cut_.drive.pages[dirty_[index]];
    versions.push_back((newer >> index & 1) != 0 ? state.latest : state.durable);
  }
  return with(versions, "subset " + std::to_string(newer));
}

Image PowerCuts::any_versions(Random& random) {
  std::vector<ContentId> chosen;
  for (const std::size_t page : dirty_) {
    const std::vector<ContentId> versions = versions_of(cut_.drive.pages[page]);
    chosen.push_back(versions[random.below(versions.size())]);
  }
  return with(chosen, "any versions");
}

Image PowerCuts::torn(Random& random) {
  Image image = any_versions(random);
  const std::uint64_t count = random.between(1, 3);
  image.what = "torn:";
  for (std::uint64_t index = 0; index < count; ++index) {
    const std::size_t page = dirty_[random.below(dirty_.size())];
    image.pages[page] = torn_page(cut_.drive.pages[page], random);
    image.what += " page " + std::to_string(page);
  }
  return image;
}

// Sectors of two versions, one of them cut in its middle.
ContentId PowerCuts::torn_page(const PageState& page, Random& random) {
  const std::vector<ContentId> versions = versions_of(page);
  Page mixed = contents_[versions[random.below(versions.size())]];
  const Page& other = contents_[versions[random.below(versions.size())]];
  const std::uint64_t sectors = random.next();
  for (std::size_t sector = 0; sector < kPageBytes / kSectorBytes; ++sector) {
    if ((sectors >> sector & 1) == 0) continue;
    const std::size_t at = sector * kSectorBytes;
    const bool is_cut = random.one_in(4);
    const std::size_t bytes = is_cut ? random.below(kSectorBytes) : kSectorBytes;
    std::memcpy(mixed.data() + at, other.data() + at, bytes);
  }
  return contents_.intern(mixed.data());
}

Image PowerCuts::with(const std::vector<ContentId>& chosen, std::string what) {
  Image image;
  image.what = std::move(what);
  image.pages.reserve(cut_.drive.pages.size());
  for (const PageState& page : cut_.drive.pages) image.pages.push_back(page.durable);
  for (std::size_t index = 0; index < dirty_.size(); ++index) {
    image.pages[dirty_[index]] = chosen[index];
  }
  image.pages.insert(image.pages.end(), cut_.drive.cut_off.begin(), cut_.drive.cut_off.end());
  return image;
}

void PowerCuts::cut_length(Image& image, Random& random) const {
  const std::vector<std::uint64_t>& others = cut_.drive.other_lengths;
  const std::uint64_t choice = random.below(others.size() + 1);
  const std::uint64_t length = choice == 0 ? cut_.drive.durable_pages : others[choice - 1];
  image.pages.resize(std::min<std::uint64_t>(length, image.pages.size()));
}

void PowerCuts::finish(Image& image) const {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(image.pages.size() + 1);
  for (const ContentId content : image.pages) hashes.push_back(contents_.hash(content));
  hashes.push_back(static_cast<std::uint64_t>(image.damage));
  image.hash = XXH3_64bits(hashes.data(), hashes.size() * sizeof hashes[0]);
}

std::optional<Image> PowerCuts::with_torn_meta(Random& random) {
  Image image = any_versions(random);
  for (const int slot : {0, 1}) {
    const std::size_t page = kMetaPages[slot];
    const PageState& state = cut_.drive.pages[page];
    const format::Meta other = meta_in(contents_[image.pages[kMetaPages[1 - slot]]]);
    if (!state.is_dirty || format::judge(other) != format::MetaFault::none) continue;
    Page mixed = contents_[state.durable];
    const Page& latest = contents_[state.latest];
    const std::size_t at = random.below(sizeof(format::Meta));
    const bool is_first_part_new = random.one_in(2);
    const std::size_t begin = is_first_part_new ? 0 : at;
    std::memcpy(mixed.data() + begin, latest.data() + begin,
                is_first_part_new ? at : sizeof(format::Meta) - at);
    if (format::judge(meta_in(mixed)) == format::MetaFault::none) continue;
    image.pages[page] = contents_.intern(mixed.data());
    image.has_torn_meta = true;
    image.what += "; meta page " + std::to_string(page) + " torn at byte " + std::to_string(at);
    cut_length(image, random);
    finish(image);
    return image;
  }
  return std::nullopt;
}

std::optional<Image> PowerCuts::damaged(Damage damage, Random& random) {
  Image image = random.one_in(2) ? any_versions(random) : listed(1, random);
  const format::Meta metas[] = {meta_in(contents_[image.pages[kMetaPages[0]]]),
                                meta_in(contents_[image.pages[kMetaPages[1]]])};
  for (const format::Meta& meta : metas) {
    if (format::judge(meta) != format::MetaFault::none) return std::nullopt;
  }
  if (cut_.has_meta_in_flight()) return std::nullopt;
  std::size_t page = kMetaPages[random.below(2)];
  std::size_t at = random.below(sizeof(format::Meta));
  if (damage == Damage::record) {
    const format::Meta& newest = metas[metas[1].sequence > metas[0].sequence ? 1 : 0];
    const std::uint64_t log_bytes = std::uint64_t{newest.log.page_count} * kPageBytes;
    const std::uint64_t position = newest.log_start + random.below(kLiveLogBytes);
    page = newest.log.first_page + position % log_bytes / kPageBytes;
    at = position % kPageBytes;
    // What a power cut could have torn as well says nothing.
    if (page >= image.pages.size() || cut_.drive.pages[page].is_dirty) return std::nullopt;
  }
  Page bytes = contents_[image.pages[page]];
  bytes[at] ^= static_cast<std::byte>(1 << random.below(8));
  image.pages[page] = contents_.intern(bytes.data());
  image.damage = damage;
  image.what += "; damaged page " + std::to_string(page) + " byte " + std::to_string(at);
  cut_length(image, random);
  finish(image);
  return image;
}

}  // namespace quire::crash
