#include "fuzz/ring.h"

#include <algorithm>
#include <cstring>

namespace quire::fuzz {
namespace {

constexpr std::size_t kUnitBytes = 4096;
constexpr std::size_t kRingBytesMax = 65536;

struct StoredStart {
  std::uint64_t position;
  std::uint64_t chain;
  std::uint64_t txn;
  std::uint32_t epoch;
  std::uint32_t unused = 0;
};

}  // namespace

std::size_t ring_bytes_of(const Input& input) {
  return std::clamp(input.file.size() / kUnitBytes * kUnitBytes, kUnitBytes, kRingBytesMax);
}

LogStart log_start_of(const Input& input) {
  StoredStart stored = {};
  std::copy_n(input.program.begin(), std::min(sizeof stored, input.program.size()),
              reinterpret_cast<std::uint8_t*>(&stored));
  // What a meta may say, see format::judge: aligned, and a header fits.
  const std::uint64_t ring_bytes = ring_bytes_of(input);
  std::uint64_t position = stored.position % (std::uint64_t{1} << 62) / 8 * 8;
  if (position % ring_bytes > ring_bytes - sizeof(format::RecordHeader)) position += 64;
  return {.position = position,
          .chain = stored.chain,
          .txn = stored.txn,
          .epoch = stored.epoch,
          .seed = 1};
}

Input make_ring(std::size_t size_bytes, const LogStart& start) {
  Input input;
  input.file.resize(size_bytes);
  const StoredStart stored{start.position, start.chain, start.txn, start.epoch};
  input.program.resize(sizeof stored);
  std::memcpy(input.program.data(), &stored, sizeof stored);
  return input;
}

void mutate_log_input(Input& input, const RawMutation& raw, Random& random) {
  input.file.resize(ring_bytes_of(input));
  const LogStart start = log_start_of(input);
  for (std::uint64_t left = random.between(1, 4); left > 0; --left) {
    if (random.one_in(12)) {
      input.program.resize(sizeof(StoredStart));
      raw(input.program.data(), input.program.size(), input.program.size());
    } else if (random.one_in(10)) {
      const std::size_t offset = random.below(input.file.size() / 64) * 64;
      raw(reinterpret_cast<std::uint8_t*>(input.file.data() + offset), 64, 64);
    } else {
      mutate_ring(input.file.data(), input.file.size(), start.position, random);
    }
  }
  if (random.one_in(6)) return;
  seal_ring(input.file.data(), input.file.size(), start, !random.one_in(3));
}

}  // namespace quire::fuzz
