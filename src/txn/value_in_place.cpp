#include "txn/value_in_place.h"

#include <quire/error.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "txn/transaction.h"

namespace quire::txn {
namespace {

const std::byte* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const std::byte*>(text.data());
}

}  // namespace

ValueInPlace Transaction::make_in_place(OpenTable& table, std::string_view key,
                                        std::uint64_t size_bytes) {
  require_usable();
  settle();
  require_sizes(key, size_bytes);
  require_table_room(table);
  const std::uint32_t page_bytes = store_.facts().page_bytes;
  ValueInPlace value{.table = &table,
                     .key = std::string(key),
                     .size_bytes = size_bytes,
                     .checksum = format::RunningChecksum(store_.facts().checksum_seed)};
  if (format::is_inline(key.size(), size_bytes, page_bytes)) {
    value.memory.resize(size_bytes);
    return value;
  }
  change(table, [&] {
    for (;;) {
      if (const auto extent = space_.take_extent(size_bytes)) {
        value.extent = *extent;
        return;
      }
      make_run(store_, context_, (size_bytes + page_bytes - 1) / page_bytes);
      space_.set_page_count(static_cast<std::uint32_t>(store_.allocator().file_pages()));
    }
  });
  return value;
}

std::span<std::byte> Transaction::reserve(OpenTable& table, std::string_view key,
                                          std::uint64_t size_bytes) {
  reserved_ = make_in_place(table, key, size_bytes);
  change(table, [&] { create_if_absent(table); });
  table.is_changed = true;  // there is something to commit
  if (reserved_->is_inline()) return reserved_->memory;
  // Nobody is to read what the pages held before, whether it is filled or not.
  const format::ExtentRef& extent = reserved_->extent;
  const std::size_t room_bytes = std::size_t{extent.page_count} * store_.facts().page_bytes;
  std::memset(space_.bytes_of(extent), 0, room_bytes);
  return {space_.bytes_of(extent), size_bytes};
}

void Transaction::put_reserved() {
  ValueInPlace value = *std::exchange(reserved_, std::nullopt);
  if (!value.is_inline()) {
    value.extent.checksum = format::checksum(space_.bytes_of(value.extent), value.size_bytes,
                                             store_.facts().checksum_seed);
  }
  put_in_place(value);
  // The call that has made it an entry may have got its bytes as arguments.
  memory_kept_ = std::move(value.memory);
}

void Transaction::put_in_place(ValueInPlace& value) {
  OpenTable& table = *value.table;
  if (value.is_inline()) {
    const auto* text = reinterpret_cast<const char*>(value.memory.data());
    put(table, value.key, {text, value.memory.size()}, btree::PutMode::upsert);
    return;
  }
  settle();
  require_table_room(table);
  change(table, [&] {
    create_if_absent(table);
    room_for_one(table.tree, kPagesKept);
    const bool found = locate(table, value.key);
    names_extents_ = true;
    btree::put_at(space_, table.tree, table.finger, value.key, {{}, &value.extent}, found);
    log({.kind = format::OperationKind::put_extent,
         .table_id = table.table_id,
         .key = value.key,
         .extent = value.extent});
    table.is_changed = true;
  });
}

std::uint64_t Transaction::open_value(OpenTable& table, std::string_view key,
                                      std::uint64_t size_bytes) {
  const std::uint64_t number = next_value_number_++;
  open_values_.emplace(number, make_in_place(table, key, size_bytes));
  return number;
}

ValueInPlace& Transaction::open_value_of(std::uint64_t number) {
  require_usable();
  const auto open = open_values_.find(number);
  if (open == open_values_.end()) {
    throw Error(Errc::misuse,
                store_.name() + ": the value is finished or was given up; begin anew");
  }
  return open->second;
}

void Transaction::write_value(std::uint64_t number, std::string_view bytes) {
  ValueInPlace& value = open_value_of(number);
  if (bytes.size() > value.size_bytes - value.written_bytes) {
    throw Error(Errc::misuse, store_.name() + ": " + std::to_string(bytes.size()) +
                                  " bytes more for a value of " + std::to_string(value.size_bytes) +
                                  " that has " + std::to_string(value.written_bytes) + " already");
  }
  if (value.is_inline()) {
    std::copy_n(bytes_of(bytes), bytes.size(), value.memory.data() + value.written_bytes);
  } else {
    space_.write_value(value.extent, value.written_bytes, bytes_of(bytes), bytes.size());
    value.checksum.add(bytes_of(bytes), bytes.size());
  }
  value.written_bytes += bytes.size();
}

void Transaction::finish_value(std::uint64_t number) {
  ValueInPlace& open = open_value_of(number);
  if (open.written_bytes != open.size_bytes) {
    throw Error(Errc::misuse, store_.name() + ": a value of " + std::to_string(open.size_bytes) +
                                  " bytes has only " + std::to_string(open.written_bytes) +
                                  "; write the others first");
  }
  // What fails before the tree changes leaves the value open: its pages are not forgotten.
  settle();
  require_table_room(*open.table);
  if (!open.is_inline()) {
    const std::uint64_t room_bytes =
        std::uint64_t{open.extent.page_count} * store_.facts().page_bytes;
    const std::vector<std::byte> zeros(room_bytes - open.size_bytes);
    space_.write_value(open.extent, open.size_bytes, zeros.data(), zeros.size());
    open.extent.checksum = open.checksum.value();
    if (!savepoints_.empty() && number < savepoints_.back().next_value_number) {
      savepoints_.back().finished_values.push_back({number, open.extent});
    }
  }
  ValueInPlace value = std::move(open);
  open_values_.erase(number);
  put_in_place(value);
}

void Transaction::discard_open_values() {
  if (open_values_.empty()) return;
  for (const auto& [number, value] : open_values_) {
    if (value.is_inline()) continue;
    space_.free_extent(value.extent);
  }
  open_values_.clear();
}

}  // namespace quire::txn
