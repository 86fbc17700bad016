// Edits of a whole file: metas, pointers between pages, whole pages, the space map.
#include <algorithm>
#include <array>
#include <iterator>

#include "format/space_map.h"
#include "fuzz/mutate.h"
#include "fuzz/seal.h"

namespace quire::fuzz {
namespace {

using format::PageHeader;
using format::PagePtr;

std::uint32_t any_of(const std::vector<std::uint32_t>& pages, Random& random) {
  return pages[random.below(pages.size())];
}

// A branch or a leaf; 0 when there is none.
std::uint32_t any_tree_page(const Layout& layout, Random& random) {
  const bool wants_branch = random.one_in(2) || layout.leaves().empty();
  const auto& pages =
      wants_branch && !layout.branches().empty() ? layout.branches() : layout.leaves();
  return pages.empty() ? 0 : any_of(pages, random);
}

// Where trees are rooted: in the metas, and in the catalogue's values.
std::vector<std::byte*> roots(const Layout& layout, FileBytes& file) {
  std::vector<std::byte*> found;
  for (int slot = 0; slot < 2; ++slot) {
    if (!layout.has_meta_at(slot)) continue;
    std::byte* meta = file.data() + format::kMetaOffset[slot];
    found.push_back(meta + offsetof(format::Meta, catalogue));
    found.push_back(meta + offsetof(format::Meta, default_table));
  }
  for (const std::uint32_t number : layout.leaves()) {
    std::byte* page = layout.page(number);
    for_entries(page, layout.page_bytes(), [&](std::uint32_t, const format::LeafEntry& entry) {
      if (entry.value.size() != sizeof(format::TableRecord)) return;
      found.push_back(page + (reinterpret_cast<const std::byte*>(entry.value.data()) - page));
    });
  }
  return found;
}

// A page that a pointer had better not lead to, or might.
PagePtr somewhere(const Layout& layout, std::uint32_t self, Random& random) {
  const format::Meta& meta = layout.meta();
  const std::array<std::uint32_t, 10> numbers = {self,
                                                 any_tree_page(layout, random),
                                                 any_tree_page(layout, random),
                                                 any_tree_page(layout, random),
                                                 0,
                                                 layout.page_count(),
                                                 layout.page_count() - 1,
                                                 meta.map[random.below(2)].first_page,
                                                 meta.log.first_page,
                                                 static_cast<std::uint32_t>(random.next())};
  PagePtr pointer;
  pointer.page = numbers[random.below(numbers.size())];
  if (pointer.page < layout.page_count()) {
    pointer.birth_low = static_cast<std::uint32_t>(layout.header(pointer.page).birth);
  }
  return pointer;
}

void retarget(const Layout& layout, Random& random) {
  if (layout.branches().empty()) return;
  const std::uint32_t number = any_of(layout.branches(), random);
  const Children children = children_of(layout.page(number), layout.page_bytes());
  if (children.count == 0) return;
  children.first[random.below(children.count)] = somewhere(layout, number, random);
}

// Gives a page another birth, and says so to whoever points to it.
void change_birth(const Layout& layout, Random& random) {
  const std::uint32_t number = any_tree_page(layout, random);
  if (number == 0) return;
  const std::uint64_t txn = layout.meta().txn;
  // What the next transaction and the one that replays the log will be called.
  const std::uint64_t replay = txn + layout.ring_bytes() / sizeof(format::RecordHeader) + 2;
  const std::array<std::uint64_t, 8> births = {0,      1,          txn,        txn + 1,
                                               replay, replay + 1, UINT64_MAX, random.next()};
  auto header = layout.header(number);
  header.birth = births[random.below(births.size())];
  store(layout.page(number), header);
  for (const std::uint32_t parent : layout.branches()) {
    const Children children = children_of(layout.page(parent), layout.page_bytes());
    for (std::uint32_t i = 0; i < children.count; ++i) {
      if (children.first[i].page != number) continue;
      children.first[i].birth_low = static_cast<std::uint32_t>(header.birth);
    }
  }
}

// Another page's content: an old version, a copy, or both exchanged; under its own number or not.
void exchange_pages(const Layout& layout, Random& random) {
  const std::uint32_t first = any_tree_page(layout, random);
  const std::uint32_t second = any_tree_page(layout, random);
  if (first == 0 || second == 0) return;
  std::byte* a = layout.page(first);
  std::byte* b = layout.page(second);
  if (random.one_in(2)) {
    std::swap_ranges(a, a + layout.page_bytes(), b);
  } else {
    std::copy(b, b + layout.page_bytes(), a);
  }
  if (random.one_in(2)) return;
  store(a + offsetof(PageHeader, page), first);
  store(b + offsetof(PageHeader, page), second);
}

void mutate_map(const Layout& layout, Random& random) {
  const std::uint32_t number = layout.meta().map[random.below(2)].first_page;
  if (number >= layout.page_count()) return;
  std::byte* page = layout.page(number);
  std::uint64_t* words = format::map_words(page);
  const std::uint32_t tree_page = any_tree_page(layout, random);
  switch (random.below(5)) {
    case 0:
      words[tree_page / 64] ^= std::uint64_t{1} << tree_page % 64;
      return;
    case 1:
      std::fill(words, words + layout.page_count() / 64 + 1, random.one_in(2) ? 0 : ~0ull);
      return;
    case 2:
      return hurt_number(page + 8 + random.below(3) * 8, 8, random);
    case 3:
      return hurt_number(page + 16 + random.below(3) * 4, 4, random);
    default:
      words[random.below(layout.page_count() / 64 + 1)] ^= random.next();
      return;
  }
}

void mutate_root(const Layout& layout, std::byte* at, Random& random) {
  constexpr std::size_t kRootWords = sizeof(format::TreeRoot) / 8;
  switch (random.below(4)) {
    case 0:
      return store(at, somewhere(layout, 0, random));
    case 1:
      return hurt_number(at + offsetof(format::TreeRoot, height), 1, random);
    case 2:
      return hurt_number(at + random.below(kRootWords) * 8, 8, random);
    default: {  // a root that fits its page
      const std::uint32_t number = any_tree_page(layout, random);
      if (number == 0) return;
      const PageHeader header = layout.header(number);
      store(at, PagePtr{number, static_cast<std::uint32_t>(header.birth)});
      at[offsetof(format::TreeRoot, height)] = static_cast<std::byte>(header.level + 1);
      return;
    }
  }
}

// The runs of maps and log: on each other, on trees, at the edges.
void mutate_run(const Layout& layout, format::Meta& meta, Random& random) {
  const std::array<format::StoredRun*, 3> runs = {&meta.map[0], &meta.map[1], &meta.log};
  format::StoredRun& run = *runs[random.below(3)];
  const format::StoredRun& other = *runs[random.below(3)];
  switch (random.below(5)) {
    case 0:
      run = other;
      return;
    case 1:
      run.first_page = other.first_page + static_cast<std::uint32_t>(random.below(4)) - 1;
      return;
    case 2:
      run.first_page = any_tree_page(layout, random);
      return;
    case 3:
      run.first_page = layout.page_count() - static_cast<std::uint32_t>(random.below(3));
      return;
    default:
      return hurt_number(reinterpret_cast<std::byte*>(&run) + random.below(2) * 4, 4, random);
  }
}

void resize(Input& input, const Layout& layout, Random& random) {
  const std::size_t pages = layout.page_count();
  const std::size_t wanted = random.one_in(4)   ? random.below(pages + 40) * layout.page_bytes()
                             : random.one_in(2) ? input.file.size() + random.below(9000)
                                                : input.file.size() - random.below(9000);
  input.file.resize(std::min(wanted, kFileBytesMax));
}

// FileBytes of a page or of the program, without any knowledge.
void mutate_raw(std::byte* page, std::uint32_t page_bytes, const RawMutation& raw, Random& random) {
  const std::size_t window = std::min<std::size_t>(page_bytes, 16 + random.below(500));
  const std::size_t offset =
      random.one_in(2) ? random.below(page_bytes - window + 1) : page_bytes - window;
  raw(reinterpret_cast<std::uint8_t*>(page + offset), window, window);
}

void mutate_program(std::vector<std::uint8_t>& program, const RawMutation& raw) {
  constexpr std::size_t kProgramBytesMax = 400;
  const std::size_t before = std::min(program.size(), kProgramBytesMax);
  program.resize(kProgramBytesMax);
  program.resize(raw(program.data(), before, kProgramBytesMax));
}

void mutate_once(Input& input, const RawMutation& raw, Random& random) {
  const Layout layout(input.file);
  const std::uint32_t number = any_tree_page(layout, random);
  const std::uint64_t choice = random.below(20);
  if (choice < 6) {
    if (number != 0) mutate_page(layout.page(number), layout.page_bytes(), random);
  } else if (choice < 10) {
    mutate_tree(layout, random);
  } else if (choice < 12) {
    mutate_meta(layout, input.file, random);
  } else if (choice < 15) {
    mutate_log(layout, random);
  } else if (choice < 16) {
    if (number != 0) mutate_raw(layout.page(number), layout.page_bytes(), raw, random);
  } else if (choice < 17 && random.one_in(3)) {
    resize(input, layout, random);
  } else {
    mutate_program(input.program, raw);
  }
}

}  // namespace

void mutate_tree(const Layout& layout, Random& random) {
  switch (random.below(5)) {
    case 0:
    case 1:
      return retarget(layout, random);
    case 2:
      return change_birth(layout, random);
    case 3:
      return exchange_pages(layout, random);
    default:
      return mutate_map(layout, random);
  }
}

void mutate_meta(const Layout& layout, FileBytes& file, Random& random) {
  if (!layout.has_meta_at(1)) return;
  if (random.one_in(3)) {
    const std::vector<std::byte*> all = roots(layout, file);
    return mutate_root(layout, all[random.below(all.size())], random);
  }
  format::Meta meta = layout.meta();
  if (random.one_in(2)) {
    mutate_run(layout, meta, random);
  } else {
    const std::size_t width = random.one_in(2) ? 8 : 4;
    hurt_number(reinterpret_cast<std::byte*>(&meta) + random.below(256 / width) * width, width,
                random);
  }
  const std::uint64_t slots = random.below(3);  // one of the two, or both
  for (std::uint64_t slot = 0; slot < 2; ++slot) {
    if (slots != 1 - slot) store(file.data() + format::kMetaOffset[slot], meta);
  }
}

void mutate_database(Input& input, const RawMutation& raw, Random& random) {
  for (std::uint64_t left = 1 + random.below(4); left > 0; --left) mutate_once(input, raw, random);
  if (!random.one_in(10)) seal_file(input.file);
}

void cross_over(Input& input, const Input& other, Random& random) {
  if (random.one_in(3)) {
    input.program = other.program;
    return;
  }
  FileBytes copy = other.file;
  const Layout from(copy);
  const Layout to(input.file);
  if (from.page_bytes() != to.page_bytes()) return;
  const std::uint32_t common = std::min(from.page_count(), to.page_count());
  for (std::uint64_t left = 1 + random.below(3); left > 0; --left) {
    const std::uint32_t number = any_tree_page(from, random);
    if (number >= common) continue;
    std::copy(from.page(number), from.page(number) + from.page_bytes(), to.page(number));
  }
  seal_file(input.file);
}

}  // namespace quire::fuzz
