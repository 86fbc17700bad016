#include "btree/check_page.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace quire::btree {
namespace {

using format::BranchView;
using format::LeafEntry;
using format::LeafView;

void append_shown(std::string& text, std::string_view key) {
  constexpr std::size_t kShownMax = 24;
  constexpr char kHex[] = "0123456789abcdef";
  text += '"';
  for (const char c : key.substr(0, kShownMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      text += c;
    } else {
      text += "\\x";
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    }
  }
  text += key.size() > kShownMax ? "\"..." : "\"";
}

// Records of one page: what they take together, and that no two overlap.
class Records {
 public:
  void add(std::uint32_t offset, std::uint32_t size_bytes) {
    if (size_bytes > 0) spans_.emplace_back(offset, size_bytes);
  }

  void judge(std::uint32_t heap_live, const Report& report) {
    std::sort(spans_.begin(), spans_.end());
    std::uint64_t live = 0;
    std::uint32_t end = 0;
    bool overlap = false;
    for (const auto& [offset, size_bytes] : spans_) {
      overlap |= offset < end;
      end = std::max(end, offset + size_bytes);
      live += size_bytes;
    }
    if (overlap) report("records overlap");
    if (live != heap_live) {
      report("the header counts " + std::to_string(heap_live) + " bytes of records, there are " +
             std::to_string(live));
    }
  }

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> spans_;
};

void judge_header(const std::byte* page, const Report& report) {
  for (const std::uint32_t word : format::header_of(page).reserved) {
    if (word != 0) return report("reserved header bytes are not zero");
  }
}

void judge_hints(const std::byte* page, const std::uint32_t* heads, std::uint32_t count,
                 const Report& report) {
  const auto* hints = reinterpret_cast<const std::uint32_t*>(page + format::kHintsOffset);
  for (std::uint32_t i = 0; i < format::kHintCount; ++i) {
    if (hints[i] != format::hint_for(heads, count, i)) {
      return report("hint " + std::to_string(i) + " does not repeat its head");
    }
  }
}

// Whether a key that should begin with `prefix` does, and what its head should be.
bool is_head_right(std::string_view key, std::string_view prefix, std::uint32_t head) {
  const std::string_view suffix = key.substr(prefix.size());
  return head == head_of(suffix.data(), suffix.size());
}

std::string at_entry(const char* what, std::uint32_t index, std::string_view key) {
  std::string text = what + (" at entry " + std::to_string(index)) + ", key ";
  append_shown(text, key);
  return text;
}

void judge_entry(const LeafEntry& entry, std::uint32_t index, std::uint32_t page_bytes,
                 const Report& report) {
  if (entry.key.size() > format::key_bytes_max(page_bytes)) {
    report(at_entry("key too long", index, entry.key));
  } else if (!entry.in_extent &&
             !format::is_inline(entry.key.size(), entry.value.size(), page_bytes)) {
    report(at_entry("value too long for a leaf", index, entry.key));
  }
}

}  // namespace

std::string describe(const KeyRange& range) {
  if (!range.low && !range.high) return "all keys";
  if (range.low && range.high && *range.high == *range.low + std::string(1, '\0')) {
    std::string text = "key ";
    append_shown(text, *range.low);
    return text;
  }
  std::string text = "keys";
  if (range.low) append_shown(text += " from ", *range.low);
  if (range.high) append_shown(text += " to before ", *range.high);
  return text;
}

std::string text_of(const format::Separator& separator) {
  std::string text(separator.size(), '\0');
  separator.copy(0, separator.size(), text.data());
  return text;
}

void judge_branch(const BranchView& branch, const KeyRange& range, const Report& report) {
  judge_header(branch.page(), report);
  if (branch.head(0) != 0 || branch.tail(0) != 0) report("the first child has a separator");
  if (branch.count() == 1 && branch.prefix_bytes() != 0) report("a prefix without separators");
  const format::BranchArrays arrays(branch.count(), branch.prefix_bytes());
  judge_hints(branch.page(), reinterpret_cast<const std::uint32_t*>(branch.page() + arrays.heads),
              branch.count(), report);
  Records records;
  std::string before;
  for (std::uint32_t i = 1; i < branch.count(); ++i) {
    const std::string key = text_of(branch.separator(i));
    if (i > 1 && key <= before) report(at_entry("separators out of order", i, key));
    if (!range.contains(key)) report(at_entry("separator outside the range above", i, key));
    if (!is_head_right(key, branch.prefix(), branch.head(i))) {
      report(at_entry("head is not that of its separator", i, key));
    }
    records.add(branch.tail(i), branch.record_bytes(i));
    before = key;
  }
  records.judge(branch.heap_live(), report);
}

void judge_leaf(const LeafView& leaf, std::uint32_t page_bytes, const KeyRange& range,
                const Report& report) {
  judge_header(leaf.page(), report);
  judge_hints(leaf.page(),
              reinterpret_cast<const std::uint32_t*>(leaf.page() + format::kArraysOffset),
              leaf.count(), report);
  Records records;
  std::string_view before;
  const std::string_view prefix = leaf.key(0).substr(0, leaf.prefix_bytes());
  for (std::uint32_t i = 0; i < leaf.count(); ++i) {
    const LeafEntry entry = leaf.entry(i);
    if (i > 0 && entry.key <= before) report(at_entry("keys out of order", i, entry.key));
    if (!range.contains(entry.key)) report(at_entry("key outside the range above", i, entry.key));
    if (!entry.key.starts_with(prefix)) {
      report(at_entry("key without the page's prefix", i, entry.key));
    } else if (!is_head_right(entry.key, prefix, leaf.head(i))) {
      report(at_entry("head is not that of its key", i, entry.key));
    }
    judge_entry(entry, i, page_bytes, report);
    records.add(leaf.record_offset(i), entry.record_bytes());
    before = entry.key;
  }
  records.judge(leaf.heap_live(), report);
}

}  // namespace quire::btree
