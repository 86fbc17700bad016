#include "format/value_set.h"

#include <cstring>

#include "base/assert.h"
#include "format/arrays.h"

namespace quire::format {
namespace {

const std::byte* bytes_at(std::string_view bytes, std::size_t offset) noexcept {
  return reinterpret_cast<const std::byte*>(bytes.data()) + offset;
}

}  // namespace

ValueSet::ValueSet(const std::byte* page, std::string_view bytes)
    : page_(page), bytes_(bytes), count_(0), values_(0) {
  if (bytes.size() < kSetHeaderBytes + kSetSlotBytes) damaged(page, "a set of values too short");
  count_ = load_le<std::uint16_t>(bytes_at(bytes, 0));
  values_ = kSetHeaderBytes + count_ * kSetSlotBytes;
  if (count_ == 0 || values_ > bytes.size() || values_ + end(count_ - 1) != bytes.size()) {
    damaged(page, "a set of values contradicts its length");
  }
}

std::string_view ValueSet::value(std::uint32_t index) const {
  QUIRE_ASSERT(index < count_);
  const std::uint32_t begin = index == 0 ? 0 : end(index - 1);
  const std::uint32_t limit = end(index);
  if (begin > limit || values_ + limit > bytes_.size()) [[unlikely]] {
    damaged(page_, "a value lies outside its set");
  }
  return bytes_.substr(values_ + begin, limit - begin);
}

ValueSet::Position ValueSet::lower_bound(std::string_view value) const {
  std::uint32_t low = 0;
  for (std::uint32_t high = count_; low < high;) {
    const std::uint32_t middle = low + (high - low) / 2;
    const int order = this->value(middle).compare(value);
    if (order == 0) return {middle, true};
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {low, false};
}

void ValueSet::judge() const {
  std::string_view before;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::string_view value = this->value(i);
    if (i > 0 && value <= before) damaged(page_, "values of a set are out of order");
    before = value;
  }
}

ValueSetWriter::ValueSetWriter(std::byte* at, std::uint32_t count) noexcept
    : at_(at), count_(count) {
  store_le(at, static_cast<std::uint16_t>(count));
}

void ValueSetWriter::append(std::string_view value) noexcept {
  copy_bytes(at_ + kSetHeaderBytes + count_ * kSetSlotBytes + end_, value);
  end_ += static_cast<std::uint32_t>(value.size());
  store_le(at_ + kSetHeaderBytes + written_++ * kSetSlotBytes, static_cast<std::uint16_t>(end_));
}

std::string_view ValueSetWriter::bytes() const noexcept {
  QUIRE_ASSERT(written_ == count_);
  return view_of(at_, kSetHeaderBytes + count_ * kSetSlotBytes + end_);
}

std::string_view set_with(const ValueSet& set, std::uint32_t index, std::string_view value,
                          std::byte* at) {
  ValueSetWriter writer(at, set.count() + 1);
  for (std::uint32_t i = 0; i < index; ++i) writer.append(set.value(i));
  writer.append(value);
  for (std::uint32_t i = index; i < set.count(); ++i) writer.append(set.value(i));
  return writer.bytes();
}

std::string_view set_without(const ValueSet& set, std::uint32_t index, std::byte* at) {
  QUIRE_ASSERT(set.count() > 1);
  ValueSetWriter writer(at, set.count() - 1);
  for (std::uint32_t i = 0; i < set.count(); ++i) {
    if (i != index) writer.append(set.value(i));
  }
  return writer.bytes();
}

std::optional<TreeRoot> decode_sub_tree(std::string_view bytes) noexcept {
  if (bytes.size() != kSubTreeBytes) return std::nullopt;
  TreeRoot tree;
  std::memcpy(&tree.root, bytes.data(), sizeof tree.root);
  tree.entry_count = load_le<std::uint64_t>(bytes_at(bytes, 8));
  tree.branch_pages = load_le<std::uint32_t>(bytes_at(bytes, 16));
  tree.leaf_pages = load_le<std::uint32_t>(bytes_at(bytes, 20));
  const std::uint32_t height = load_le<std::uint32_t>(bytes_at(bytes, 24));
  if (!tree.root || tree.entry_count == 0 || height == 0 || height > kTreeHeightMax) {
    return std::nullopt;
  }
  tree.height = static_cast<std::uint8_t>(height);
  return tree;
}

void encode_sub_tree(const TreeRoot& tree, std::byte* at) noexcept {
  QUIRE_ASSERT(tree.root && tree.entry_count > 0 && tree.extent_pages == 0);
  std::memcpy(at, &tree.root, sizeof tree.root);
  store_le(at + 8, tree.entry_count);
  store_le(at + 16, static_cast<std::uint32_t>(tree.branch_pages));
  store_le(at + 20, static_cast<std::uint32_t>(tree.leaf_pages));
  store_le(at + 24, std::uint32_t{tree.height});
}

}  // namespace quire::format
