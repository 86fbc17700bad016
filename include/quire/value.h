// Large values piece by piece: written and read without ever being in memory as a whole, and sent
// by the system without being looked at. `Table::reserve`, `Table::writer`, `TableView::reader` and
// `Snapshot::locate` give what stands here.
#pragma once

#include <quire/export.h>
#include <quire/options.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace quire {

namespace detail {
struct ValueReaderState;
struct ValueWriterState;
struct ValueAccess;
}  // namespace detail

// A value on its way into a table, from its beginning to its end, of a length known beforehand.
// Several may be on their way in one transaction, and anything else be done meanwhile. Its entry is
// there once it is finished; one that is not by the commit, or when a savepoint is rolled back, is
// given up: what the key had before stays.
//
// Threads: the transaction's. Lifetime: that of the transaction; destroying it does nothing.
// Errors: as Table's; Errc::misuse once it is finished or given up, or was moved from.
class QUIRE_API ValueWriter {
 public:
  ValueWriter(ValueWriter&& other) noexcept;
  ValueWriter& operator=(ValueWriter&& other) noexcept;
  ~ValueWriter();

  // The next bytes; straight into the file, so the process does not grow. Pieces of a multiple of
  // 16 KiB are best. Throws Errc::misuse for more than are missing; then none of them is written.
  void write(Bytes bytes);

  // Puts the entry, replacing one that is there. Throws Errc::misuse while bytes are missing; then
  // the others can still be written.
  void finish();

  std::uint64_t size_bytes() const noexcept;
  std::uint64_t written_bytes() const noexcept;

 private:
  friend struct detail::ValueAccess;
  explicit ValueWriter(std::unique_ptr<detail::ValueWriterState> state) noexcept;
  std::unique_ptr<detail::ValueWriterState> state_;
};

// A value read from its beginning to its end. What was read is taken out of the process's memory
// again, what comes next is asked for early.
//
// Threads: one at a time. Lifetime: that of the value (see TableView).
// Errors: as TableView's; Errc::misuse after it was moved from.
class QUIRE_API ValueReader {
 public:
  ValueReader(ValueReader&& other) noexcept;
  ValueReader& operator=(ValueReader&& other) noexcept;
  ~ValueReader();

  // The next bytes, as many as asked for unless the value ends before; empty at its end. They point
  // into the map and stay there, but looking at them once more after the next call costs a page
  // fault each. With Options::verify the value's checksum is compared when its last bytes are asked
  // for: then Errc::corrupt, again from each later call, and what was read before is not to be
  // believed either.
  Bytes next(std::size_t bytes_max = std::size_t{1} << 20);

  std::uint64_t size_bytes() const noexcept;
  std::uint64_t read_bytes() const noexcept;

 private:
  friend struct detail::ValueAccess;
  explicit ValueReader(std::unique_ptr<detail::ValueReaderState> state) noexcept;
  std::unique_ptr<detail::ValueReaderState> state_;
};

// Where in the file a value's bytes stand.
struct ValueLocation {
  int descriptor = -1;  // can only read; belongs to the database, which closes it
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};

}  // namespace quire
