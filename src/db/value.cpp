#include <quire/error.h>
#include <quire/table.h>
#include <quire/transaction.h>
#include <quire/value.h>

#include <algorithm>
#include <functional>

#include "btree/tree.h"
#include "db/handles.h"
#include "format/checksum.h"

namespace quire {
namespace {

template <typename State>
State& require(const std::unique_ptr<State>& state) {
  if (!state) throw Error(Errc::misuse, "used after it was moved from");
  return *state;
}

}  // namespace

struct detail::ValueWriterState {
  const txn::File* file = nullptr;
  txn::Transaction* transaction = nullptr;
  std::uint64_t number = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t written_bytes = 0;
};

struct detail::ValueReaderState {
  txn::File* file = nullptr;
  const std::byte* bytes = nullptr;
  std::uint64_t size_bytes = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t seen_bytes = 0;  // what the last call has given begins here
  bool is_extent = false;
  format::ExtentRef extent = {};
  std::optional<format::RunningChecksum> checksum = {};  // where it is verified
  bool is_damaged = false;                               // as the checksum has shown

  void require_sound() const {
    if (!is_damaged) return;
    throw Error(Errc::corrupt, file->name() + ": page " + std::to_string(extent.first_page) +
                                   ": checksum mismatch of a value; run kvtool check, restore "
                                   "from a copy");
  }
};

ValueWriter detail::ValueAccess::make(std::unique_ptr<ValueWriterState> state) {
  return ValueWriter(std::move(state));
}

ValueReader detail::ValueAccess::make(std::unique_ptr<ValueReaderState> state) {
  return ValueReader(std::move(state));
}

ValueWriter::ValueWriter(std::unique_ptr<detail::ValueWriterState> state) noexcept
    : state_(std::move(state)) {}
ValueWriter::ValueWriter(ValueWriter&& other) noexcept = default;
ValueWriter& ValueWriter::operator=(ValueWriter&& other) noexcept = default;
ValueWriter::~ValueWriter() = default;

void ValueWriter::write(Bytes bytes) {
  detail::ValueWriterState& state = require(state_);
  detail::readable(state.file, [&] { state.transaction->write_value(state.number, bytes); });
  state.written_bytes += bytes.size();
}

void ValueWriter::finish() {
  detail::ValueWriterState& state = require(state_);
  detail::readable(state.file, [&] { state.transaction->finish_value(state.number); });
}

std::uint64_t ValueWriter::size_bytes() const noexcept { return state_ ? state_->size_bytes : 0; }

std::uint64_t ValueWriter::written_bytes() const noexcept {
  return state_ ? state_->written_bytes : 0;
}

std::span<std::byte> Table::reserve(Bytes key, std::uint64_t length_bytes) {
  const detail::ViewState& state = detail::TableAccess::state(*this);
  std::span<std::byte> room;
  detail::readable(state.file,
                   [&] { room = state.transaction->reserve(*state.open, key, length_bytes); });
  return room;
}

ValueWriter Table::writer(Bytes key, std::uint64_t length_bytes) {
  const detail::ViewState& state = detail::TableAccess::state(*this);
  auto writer = std::make_unique<detail::ValueWriterState>(detail::ValueWriterState{
      .file = state.file, .transaction = state.transaction, .size_bytes = length_bytes});
  detail::readable(state.file, [&] {
    writer->number = state.transaction->open_value(*state.open, key, length_bytes);
  });
  return detail::ValueAccess::make(std::move(writer));
}

std::optional<ValueReader> detail::open_reader(const ViewState& state, const FindStored& find) {
  std::optional<ValueReader> reader;
  readable(state.file, [&] {
    const std::optional<btree::StoredValue> found = find();
    if (!found) return;
    const pages::PageView& view = state.transaction ? state.transaction->view() : state.view;
    auto opened = std::make_unique<ValueReaderState>();
    opened->file = const_cast<txn::File*>(state.file);
    if (found->extent) {
      opened->is_extent = true;
      opened->extent = *found->extent;
      opened->bytes = view.at(PageId{found->extent->first_page});
      opened->size_bytes = found->extent->size_bytes;
      if (view.verification != nullptr) opened->checksum.emplace(view.checksum_seed);
    } else {
      opened->bytes = reinterpret_cast<const std::byte*>(found->inline_bytes.data());
      opened->size_bytes = found->inline_bytes.size();
    }
    reader = ValueAccess::make(std::move(opened));
  });
  return reader;
}

ValueReader::ValueReader(std::unique_ptr<detail::ValueReaderState> state) noexcept
    : state_(std::move(state)) {}
ValueReader::ValueReader(ValueReader&& other) noexcept = default;
ValueReader& ValueReader::operator=(ValueReader&& other) noexcept = default;
ValueReader::~ValueReader() = default;

Bytes ValueReader::next(std::size_t bytes_max) {
  detail::ValueReaderState& state = require(state_);
  db::require_own_process(*state.file);
  return detail::readable(state.file, [&] {
    state.require_sound();
    const std::uint64_t left = state.size_bytes - state.read_bytes;
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, left));
    const std::byte* piece = state.bytes + state.read_bytes;
    if (state.is_extent) {
      const auto first = static_cast<std::uint64_t>(state.bytes - state.file->data().read_base());
      const std::uint64_t next = state.read_bytes + step;
      state.file->data().read_on(first + state.seen_bytes, state.read_bytes - state.seen_bytes,
                                 first + next,
                                 std::min<std::uint64_t>(bytes_max, state.size_bytes - next));
    }
    state.seen_bytes = state.read_bytes;
    state.read_bytes += step;
    if (state.checksum && step > 0) {
      state.checksum->add(piece, step);
      state.is_damaged =
          state.read_bytes == state.size_bytes && state.checksum->value() != state.extent.checksum;
      state.require_sound();
    }
    return Bytes(reinterpret_cast<const char*>(piece), step);
  });
}

std::uint64_t ValueReader::size_bytes() const noexcept { return state_ ? state_->size_bytes : 0; }

std::uint64_t ValueReader::read_bytes() const noexcept { return state_ ? state_->read_bytes : 0; }

ValueLocation Snapshot::locate(Bytes bytes) const {
  txn::File& file = detail::Access::state(*this).snapshot.file();
  return detail::readable(&file, [&] {
    storage::DataFile& data = file.data();
    if (data.is_private()) {
      throw Error(Errc::read_only,
                  file.name() +
                      ": the value may be in this process's memory only, because nobody "
                      "has replayed the log; copy it");
    }
    const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
    const std::byte* base = data.read_base();
    const std::uint64_t file_bytes = std::min(data.size_bytes(), data.reserved_bytes());
    if (std::less<>{}(first, base) || std::less<>{}(base + file_bytes, first) ||
        bytes.size() > static_cast<std::uint64_t>(base + file_bytes - first)) {
      throw Error(Errc::misuse, file.name() +
                                    ": these bytes are not in the file; locate what a "
                                    "table of this snapshot gives");
    }
    return ValueLocation{.descriptor = data.sending_descriptor(),
                         .offset_bytes = static_cast<std::uint64_t>(first - base),
                         .length_bytes = bytes.size()};
  });
}

}  // namespace quire
