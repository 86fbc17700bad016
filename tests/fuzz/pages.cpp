// Target: branches and leaves alone, with the keys in them. The pages stand in memory of their own,
// where a sanitizer sees every step over their edges, which it cannot in a mapped file.
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "format/branch.h"
#include "format/leaf.h"
#include "format/quick.h"
#include "fuzz/layout.h"
#include "fuzz/mutator.h"
#include "fuzz/session.h"
#include "fuzz/single_page.h"
#include "fuzz/verdict.h"

namespace {

using namespace quire;
using format::BranchView;
using format::LeafEntry;
using format::LeafView;
using fuzz::Program;

struct Freer {
  void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{64}); }
};
using Page = std::unique_ptr<std::byte, Freer>;

Page make_page(std::uint32_t page_bytes, const std::byte* content) {
  Page page(static_cast<std::byte*>(::operator new[](page_bytes, std::align_val_t{64})));
  std::memcpy(page.get(), content, page_bytes);
  return page;
}

// Runs `step`; a page that contradicts itself may say so.
template <typename Step>
void tolerate(Step&& step) {
  try {
    step();
  } catch (const format::Damage&) {
    return;
  }
}

std::string read_key(Program& program, std::uint32_t page_bytes) {
  const std::uint32_t kind = program.below(4);
  const std::uint32_t size = kind == 0 ? program.word() : program.below(40);
  return std::string(size % (format::key_bytes_max(page_bytes) + 1),
                     static_cast<char>(program.byte()));
}

void read_leaf(const LeafView& leaf, std::uint32_t page_bytes) {
  for (std::uint32_t i = 0; i < leaf.count(); ++i) {
    tolerate([&] {
      const LeafEntry entry = leaf.entry(i);
      const std::string key(entry.key);
      const std::string value(entry.value);
      if (entry.in_extent) static_cast<void>(entry.extent());
      static_cast<void>(leaf.find(key));
      std::string_view quick;
      static_cast<void>(format::quick_find(leaf.page(), page_bytes, format::SearchKey(key), quick));
      const std::string copy(quick);
      if (leaf.lower_bound(key).index > leaf.count()) fuzz::finding("a place behind the end");
    });
  }
}

void change_leaf(std::byte* page, std::uint32_t page_bytes, Program& program) {
  const LeafView leaf(page, page_bytes);
  std::string key = read_key(program, page_bytes);
  if (program.one_in(2)) key = leaf.key(program.byte() % leaf.count());
  if (key.size() > format::key_bytes_max(page_bytes)) return;
  const auto place = leaf.lower_bound(key);
  std::string value(program.word() % (page_bytes / 4), 'v');
  if (!format::is_inline(key.size(), value.size(), page_bytes)) value.clear();
  const LeafEntry entry{key, value, false};
  if (!place.found) {
    format::leaf_insert(page, page_bytes, place.index, entry);
  } else if (program.one_in(2) || leaf.count() == 1) {
    format::leaf_replace(page, page_bytes, place.index, entry);
  } else {
    format::leaf_erase(page, page_bytes, place.index);
  }
}

void join_leaves(const std::byte* left, const std::byte* right, std::uint32_t page_bytes) {
  const Page target = make_page(page_bytes, left);
  const auto entries = format::LeafSequence::joined({left, page_bytes}, {right, page_bytes});
  format::leaf_build(target.get(), page_bytes, entries, 0, entries.count());
  read_leaf(LeafView(target.get(), page_bytes), page_bytes);
}

std::string text_of(const format::Separator& separator) {
  std::string text(separator.size(), '\0');
  separator.copy(0, separator.size(), text.data());
  return text;
}

void read_branch(const BranchView& branch, std::uint32_t page_bytes) {
  for (std::uint32_t i = 0; i < branch.count(); ++i) {
    tolerate([&] {
      static_cast<void>(branch.child(i));
      if (i == 0) return;
      const std::string key = text_of(branch.separator(i));
      if (branch.search(key) >= branch.count()) fuzz::finding("a child behind the last");
      static_cast<void>(format::quick_child(branch.page(), page_bytes, format::SearchKey(key)));
      static_cast<void>(branch.record_bytes(i));
    });
  }
}

void change_branch(std::byte* page, std::uint32_t page_bytes, Program& program) {
  const BranchView branch(page, page_bytes);
  std::string key = read_key(program, page_bytes);
  if (program.one_in(3) && branch.count() > 1) {
    key = text_of(branch.separator(1 + program.byte() % (branch.count() - 1)));
  }
  const std::uint32_t index = branch.search(key);
  const format::PagePtr child{program.byte(), 1};
  switch (program.below(3)) {
    case 0:
      format::branch_insert(page, page_bytes, index + 1, key, child);
      return;
    case 1:
      return format::branch_set_child(page, page_bytes, index, child);
    default:
      if (branch.count() > 1) format::branch_erase(page, page_bytes, index);
      return;
  }
}

void join_branches(const std::byte* left, const std::byte* right, std::uint32_t page_bytes,
                   Program& program) {
  const Page target = make_page(page_bytes, left);
  const std::string between = read_key(program, page_bytes);
  const auto children = format::BranchSequence::joined(
      {left, page_bytes}, format::Separator(between), {right, page_bytes});
  if (!format::branch_fits(children, 0, children.count(), page_bytes)) return;
  format::branch_build(target.get(), page_bytes, children, 0, children.count());
  read_branch(BranchView(target.get(), page_bytes), page_bytes);
}

void use(std::byte* page, const std::byte* other, std::uint32_t page_bytes, Program& program) {
  constexpr int kStepsMax = 60;
  const bool is_branch = format::header_of(page).kind == format::PageKind::branch;
  for (int left = kStepsMax; left > 0; --left) {
    tolerate([&] {
      if (is_branch) {
        read_branch(BranchView(page, page_bytes), page_bytes);
        change_branch(page, page_bytes, program);
      } else {
        read_leaf(LeafView(page, page_bytes), page_bytes);
        change_leaf(page, page_bytes, program);
      }
    });
    if (program.is_at_end()) break;
  }
  tolerate([&] {
    if (is_branch) {
      join_branches(page, other, page_bytes, program);
    } else {
      join_leaves(page, other, page_bytes);
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  fuzz::Input input = fuzz::decode(data, size_bytes);
  const std::uint32_t page_bytes = fuzz::normalise_pages(input);
  const Page page = make_page(page_bytes, input.file.data());
  const Page other = make_page(page_bytes, input.file.data() + page_bytes);
  Program program(input.program);
  use(page.get(), other.get(), page_bytes, program);
  return 0;
}

QUIRE_FUZZ_MUTATE([](quire::fuzz::Input& input, quire::fuzz::Random& random) {
  quire::fuzz::mutate_single_pages(input, LLVMFuzzerMutate, random);
})
