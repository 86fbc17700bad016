// Target: the log alone, on the bytes of a ring that stands in memory, where a sanitizer sees every
// step over its edges.
#include <array>

#include "format/record.h"
#include "fuzz/layout.h"
#include "fuzz/mutator.h"
#include "fuzz/ring.h"
#include "fuzz/seal.h"
#include "fuzz/verdict.h"
#include "log/log.h"

namespace {

using namespace quire;

// Every operation of a payload; what they point to must be readable.
void read_operations(std::span<const std::byte> payload) {
  format::OperationReader operations(payload);
  format::Operation operation;
  std::size_t used_bytes = 0;
  while (operations.next(operation)) {
    used_bytes += format::operation_bytes(operation);
    const std::string key(operation.key);
    const std::string value(operation.value);
  }
  if (used_bytes > payload.size()) fuzz::finding("operations longer than their record");
}

log::Tail scan(const log::Ring& ring, const fuzz::LogStart& start) {
  log::Scanner scanner(ring, {Lsn{start.position}, start.chain}, start.epoch, TxnId{start.txn});
  std::uint64_t before = start.position;
  while (const format::RecordHeader* record = scanner.next()) {
    if (scanner.tail().end.value <= before) fuzz::finding("a scan that does not go on");
    before = scanner.tail().end.value;
    read_operations(log::payload_of(record));
  }
  if (before > start.position + ring.size_bytes) fuzz::finding("a log longer than its ring");
  return scanner.tail();
}

void glance_everywhere(const log::Ring& ring, std::uint64_t first) {
  for (std::uint64_t position = first; position < first + ring.size_bytes; position += 8) {
    const log::Glance glance = log::glance_at(ring, Lsn{position});
    if (glance.next.value == position) continue;
    read_operations(glance.payload);
    static_cast<void>(log::is_unchanged(ring, Lsn{position}, glance));
  }
}

// What a writer does at the end of a log that it has found.
void go_on(const log::Ring& ring, const log::Tail& tail, const fuzz::LogStart& start) {
  const Lsn changed = log::erase_record(ring, tail.end);
  if (changed < tail.end) fuzz::finding("erasing goes backwards");
  std::array<std::byte, sizeof(format::RecordHeader) + 40> record = {};
  const std::uint64_t needed = log::bytes_to_append(ring, tail.end, 40);
  if (needed > ring.size_bytes) return;
  format::RecordHeader header;
  header.epoch = start.epoch;
  const log::Tail after = log::append(ring, tail, header, record);
  if (after.end.value != tail.end.value + needed) fuzz::finding("an append of another length");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  fuzz::Input input = fuzz::decode(data, size_bytes);
  const fuzz::LogStart start = fuzz::log_start_of(input);
  input.file.resize(fuzz::ring_bytes_of(input));
  const log::Ring ring{.read = input.file.data(),
                       .memory = input.file.data(),
                       .size_bytes = input.file.size(),
                       .seed = start.seed};
  const log::Tail tail = scan(ring, start);
  static_cast<void>(log::has_durable_record_behind(ring, tail.end, start.epoch));
  glance_everywhere(ring, tail.end.value);
  go_on(ring, tail, start);
  static_cast<void>(scan(ring, start));
  return 0;
}

QUIRE_FUZZ_MUTATE([](quire::fuzz::Input& input, quire::fuzz::Random& random) {
  quire::fuzz::mutate_log_input(input, LLVMFuzzerMutate, random);
})
