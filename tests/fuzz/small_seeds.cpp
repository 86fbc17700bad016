// Seeds of the targets that need no database: rings, single pages, lock files.
#include <array>
#include <cstring>

#include "format/branch.h"
#include "format/leaf.h"
#include "fuzz/layout.h"
#include "fuzz/ring.h"
#include "fuzz/seeds.h"
#include "log/log.h"
#include "shared/layout.h"

namespace quire::fuzz {
namespace {

const std::vector<std::uint8_t> kProgram = {1, 5, 'k', 0, 9, 0, 0, 0, 1, 'x', 1, 2, 0, 'v', 3, 1,
                                            2, 1, 0,   7, 3, 8, 1, 1, 0, 2,   2, 5, 1, 0,   1, 0};

// `count` records of some operations each, which may go round the ring.
Seed ring_of(const char* name, std::size_t ring_bytes, std::uint64_t position, int count) {
  const LogStart start{position, 7, 10, 3, 1};
  Input input = make_ring(ring_bytes, start);
  const log::Ring ring{.read = input.file.data(),
                       .memory = input.file.data(),
                       .size_bytes = ring_bytes,
                       .seed = start.seed};
  log::Tail tail{Lsn{position}, start.chain};
  for (int i = 0; i < count; ++i) {
    std::vector<std::byte> record(sizeof(format::RecordHeader));
    const std::string key = "key" + std::to_string(i);
    format::append_operation(record, {.kind = format::OperationKind::create, .key = "table"});
    format::append_operation(
        record, {.kind = format::OperationKind::put, .table_id = 1, .key = key, .value = "value"});
    format::append_operation(record, {.kind = format::OperationKind::put_extent, .key = key});
    format::append_operation(record, {.kind = format::OperationKind::erase, .key = key});
    format::append_operation(
        record, {.kind = format::OperationKind::erase_range, .key = key, .value = "limit"});
    format::append_operation(record, {.kind = format::OperationKind::create_multimap, .key = "m"});
    for (const auto kind :
         {format::OperationKind::insert_pair, format::OperationKind::erase_pair}) {
      format::append_operation(record, {.kind = kind, .table_id = 2, .key = key, .value = "value"});
    }
    format::RecordHeader header;
    header.epoch = start.epoch;
    header.flags = format::kRecordNamesExtents;
    header.txn = start.txn + static_cast<std::uint64_t>(i) + 1;
    header.previous_txn = header.txn - 1;
    header.durable = position;
    tail = log::append(ring, tail, header, record);
  }
  return {name, std::move(input)};
}

std::byte* start_page(Input& input, std::uint32_t page_bytes, std::uint32_t place,
                      format::PageKind kind) {
  std::byte* page = input.file.data() + std::size_t{place} * page_bytes;
  auto& header = format::header_of(page);
  header.kind = kind;
  header.birth = 5;
  header.page = 40 + place;
  header.level = kind == format::PageKind::leaf ? 0 : 1;
  return page;
}

Seed leaves(const char* name, std::uint32_t page_bytes, int count, std::size_t key_bytes) {
  Input input{FileBytes(std::size_t{page_bytes} * 2), kProgram};
  for (std::uint32_t place = 0; place < 2; ++place) {
    std::byte* page = start_page(input, page_bytes, place, format::PageKind::leaf);
    const std::string stem(key_bytes, static_cast<char>('a' + place));
    format::leaf_start(page, page_bytes, {stem, "value", false});
    for (int i = 1; i < count; ++i) {
      const std::string key = stem + static_cast<char>(i);
      const auto index = format::LeafView(page, page_bytes).lower_bound(key).index;
      if (!format::leaf_insert(page, page_bytes, index, {key, "value", false})) break;
    }
  }
  return {name, std::move(input)};
}

Seed branches(const char* name, std::uint32_t page_bytes, int count, std::size_t key_bytes) {
  Input input{FileBytes(std::size_t{page_bytes} * 2), kProgram};
  for (std::uint32_t place = 0; place < 2; ++place) {
    std::byte* page = start_page(input, page_bytes, place, format::PageKind::branch);
    const std::string stem(key_bytes, static_cast<char>('a' + place));
    format::branch_start(page, page_bytes, {100, 1});
    for (int i = 1; i < count; ++i) {
      const std::string key = stem + static_cast<char>(i);
      const std::uint32_t index = format::BranchView(page, page_bytes).search(key) + 1;
      if (!format::branch_insert(page, page_bytes, index, key, {100u + index, 1})) break;
    }
  }
  return {name, std::move(input)};
}

// The words of a lock file that was left behind: `ready` and `poisoned` as given.
Seed lock_file(const char* name, std::uint32_t ready, std::uint32_t poisoned) {
  Input input{FileBytes(shared::kMiB), {0, 0, 0, 'a', 10, 9, 1}};
  const shared::RegionHeader header{shared::kRegionMagic, shared::kLayoutVersion, 8, 40, 1, 0, 0};
  store(input.file.data(), header);
  std::byte* control = input.file.data() + shared::kControlOffset;
  store(control + offsetof(shared::Control, ready), ready);
  store(control + offsetof(shared::Control, poisoned), poisoned);
  return {name, std::move(input)};
}

}  // namespace

std::vector<Seed> rings() {
  return {ring_of("empty", 4096, 0, 0), ring_of("some", 8192, 8192 * 3, 12),
          ring_of("around", 4096, 4096 * 5 + 3000, 10), ring_of("large", 65536, 65536 * 7, 30)};
}

std::vector<Seed> single_pages() {
  return {leaves("leaves", 4096, 20, 3),           leaves("leaves-long", 4096, 5, 700),
          leaves("leaves-64k", 65536, 30, 5),      branches("branches", 4096, 20, 2),
          branches("branches-long", 4096, 6, 500), branches("branches-16k", 16384, 40, 5)};
}

std::vector<std::string> load_inputs() {
  // The first byte chooses the format.
  return {
      std::string(1, '\0') + "k\tv\nesc\\x00\\t\\\\\tv\\n\n\xc3\xa9\t\xff\n",
      "\1"
      "6b\t76\n00ff\t\n",
      "\2{\"key\":\"k\",\"value\":\"v\\u00e9\"}\n\n{\"key_hex\":\"00ff\",\"value_hex\":\"\"}\r\n",
      "\2" + std::string(20'000, '[') + "\n",
      "\2{\"key\":" + std::string(5000, '{') + "\n",
      "\3quire dump 1\npage_size 4096\ntable\na\tb\ntable t\\x01\nk\t\nend 2\n"};
}

std::vector<Seed> lock_files() {
  return {{"empty", {}}, lock_file("left", 1, 0), lock_file("poisoned", 0, 1)};
}

}  // namespace quire::fuzz
