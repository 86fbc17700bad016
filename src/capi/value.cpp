#include <cstddef>
#include <span>

#include "capi/handles.h"

using namespace quire::capi;

static_assert(sizeof(quire_location) == 32);

struct quire_value_writer {
  Owner owner;
  quire::ValueWriter writer;
};

struct quire_value_reader {
  Owner owner;
  quire::Cursor entry;  // knows whether the table has changed
  quire::ValueReader reader;
};

int quire_reserve(quire_table* table, quire_bytes key, uint64_t size, void** room) {
  return guarded([&]() -> int {
    require(room);
    static std::byte none;
    const std::span<std::byte> reserved = changing(table).reserve(bytes(key), size);
    *room = reserved.empty() ? &none : reserved.data();
    return QUIRE_OK;
  });
}

int quire_value_writer_begin(quire_table* table, quire_bytes key, uint64_t size,
                             quire_value_writer** writer) {
  return guarded([&]() -> int {
    require(writer);
    quire::ValueWriter begun = changing(table).writer(bytes(key), size);
    *writer = new quire_value_writer{Owner(*table), std::move(begun)};
    return QUIRE_OK;
  });
}

int quire_value_writer_write(quire_value_writer* writer, quire_bytes piece) {
  return guarded([&]() -> int {
    require(writer);
    writer->owner.require_there();
    writer->writer.write(bytes(piece));
    return QUIRE_OK;
  });
}

int quire_value_writer_finish(quire_value_writer* writer) {
  return guarded([&]() -> int {
    require(writer);
    writer->owner.require_there();
    writer->writer.finish();
    return QUIRE_OK;
  });
}

void quire_value_writer_close(quire_value_writer* writer) { delete writer; }

int quire_value_reader_begin(const quire_table* table, quire_bytes key, uint64_t* size,
                             quire_value_reader** reader) {
  return guarded([&]() -> int {
    require(table, reader);
    const quire::Bytes wanted = bytes(key);
    auto begun = table->view().reader(wanted);
    if (!begun) return QUIRE_NOT_FOUND;
    const std::uint64_t size_bytes = begun->size_bytes();
    *reader = new quire_value_reader{Owner(*table), table->view().find(wanted), *std::move(begun)};
    store(size, size_bytes);
    return QUIRE_OK;
  });
}

int quire_value_reader_next(quire_value_reader* reader, size_t size_max, quire_bytes* piece) {
  return guarded([&]() -> int {
    require(reader, piece);
    reader->owner.require_there();
    (void)reader->entry.at_end();
    const quire::Bytes next = size_max == 0 ? reader->reader.next() : reader->reader.next(size_max);
    if (next.empty()) return QUIRE_NOT_FOUND;
    *piece = handed_out(next);
    return QUIRE_OK;
  });
}

void quire_value_reader_close(quire_value_reader* reader) { delete reader; }

int quire_locate(const quire_snapshot* snapshot, quire_bytes wanted, quire_location* location) {
  return guarded([&]() -> int {
    require(snapshot, location);
    const quire::ValueLocation found = snapshot->snapshot.locate(bytes(wanted));
    *location = {.offset = found.offset_bytes,
                 .size = found.length_bytes,
                 .descriptor = found.descriptor,
                 .zero = {}};
    return QUIRE_OK;
  });
}
