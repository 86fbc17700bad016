// Memory that this program shares with the processes it starts.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace compare {

inline constexpr std::size_t kSlotsMax = 32;
inline constexpr std::size_t kLatenciesMax = 50'000;

// One thread's place.
struct Slot {
  std::atomic<std::uint64_t> count;
  std::uint64_t private_bytes;
  std::uint64_t mapped_bytes;
  std::uint64_t latency_count;
  std::uint32_t latencies[kLatenciesMax];  // nanoseconds
};

struct Board {
  std::atomic<std::uint32_t> ready;  // threads that wait for `go`
  std::atomic<std::uint32_t> go;
  std::atomic<std::uint32_t> stop;
  Slot slots[kSlotsMax];
};

// A mapping of the board in an open file; gone with the object.
class MappedBoard {
 public:
  explicit MappedBoard(int descriptor);
  MappedBoard(const MappedBoard&) = delete;
  MappedBoard& operator=(const MappedBoard&) = delete;
  ~MappedBoard();
  Board* operator->() const noexcept { return board_; }

 private:
  Board* board_;
};

}  // namespace compare
