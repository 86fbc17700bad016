// Judging what stands inside one page: the part of check_tree that looks at a single branch or
// leaf.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "btree/key_range.h"
#include "format/branch.h"
#include "format/leaf.h"

namespace quire::btree {

// "keys from "a" to before "b\x00"", "key "a"": for people, long keys cut.
std::string describe(const KeyRange& range);

using Report = std::function<void(const std::string& reason)>;

// The whole text of a separator.
std::string text_of(const format::Separator& separator);

// Report every field that contradicts others; throw Damage where nothing more can be read.
void judge_branch(const format::BranchView& branch, const KeyRange& range, const Report& report);
void judge_leaf(const format::LeafView& leaf, std::uint32_t page_bytes, const KeyRange& range,
                const Report& report);

}  // namespace quire::btree
