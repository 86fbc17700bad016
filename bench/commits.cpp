// Single durable puts by 1, 2, 4 and 8 committers at a time, as threads of one process and as
// processes: commits per second, their ratio to one committer's, and how long a commit takes. The
// kinds take turns, so that whatever else the machine does hits all of them; medians of the turns.
// All on one file, which has so many entries at first (none by default), after a turn that does not
// count: a log that is new and small makes checkpoints frequent until it has grown. Nor does the
// beginning of each turn, in which processes meet the file's pages for the first time.
#include <quire/quire.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kCommitterCounts[] = {1, 2, 4, 8};
constexpr unsigned kCommittersMax = 8;
constexpr std::chrono::seconds kWarmUp{3};
constexpr std::chrono::milliseconds kSettling{400};  // of a turn: each process has to map the pages
constexpr std::uint64_t kSamplesMax = 200'000;
constexpr std::uint64_t kNewKeys = 100'000;

// In memory that forked committers share.
struct Board {
  std::atomic<unsigned> ready;
  std::atomic<bool> begin;
  std::atomic<bool> counts;
  std::atomic<bool> end;
  std::atomic<std::uint64_t> sample_count;
  std::uint32_t microseconds[kSamplesMax];
};

struct Turn {
  double commits_per_second = 0;
  std::uint32_t p50 = 0;
  std::uint32_t p99 = 0;
};

std::string key_of(std::uint64_t number) {
  char key[17];
  std::snprintf(key, sizeof key, "%016llx",
                static_cast<unsigned long long>(number * 0x9e3779b97f4a7c15));
  return key;
}

void commit_until_end(quire::Database& db, Board& board, unsigned committer,
                      std::uint64_t key_count) {
  const std::string value(100, static_cast<char>('a' + committer));
  ++board.ready;
  while (!board.begin) std::this_thread::yield();
  for (std::uint64_t i = committer; !board.end; i += kCommittersMax) {
    const auto start = Clock::now();
    db.put(key_of(i % key_count), value);
    const std::chrono::duration<double, std::micro> took = Clock::now() - start;
    if (!board.counts) continue;
    const std::uint64_t sample = board.sample_count.fetch_add(1);
    if (sample < kSamplesMax) board.microseconds[sample] = static_cast<std::uint32_t>(took.count());
  }
}

Turn measure(Board& board, unsigned committers, std::chrono::milliseconds length) {
  while (board.ready < committers) std::this_thread::yield();
  board.begin = true;
  std::this_thread::sleep_for(kSettling);
  const auto start = Clock::now();
  board.counts = true;
  std::this_thread::sleep_for(length);
  board.end = true;
  const std::chrono::duration<double> took = Clock::now() - start;
  const auto count = board.sample_count.load();
  const auto first = std::begin(board.microseconds);
  const auto last = first + static_cast<std::ptrdiff_t>(std::min(count, kSamplesMax));
  std::sort(first, last);
  const auto at = [&](double share) {
    return first[static_cast<std::ptrdiff_t>(static_cast<double>(last - first - 1) * share)];
  };
  return {static_cast<double>(count) / took.count(), at(0.5), at(0.99)};
}

Board& new_board() {
  void* memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return *new (memory) Board();
}

Turn with_threads(const std::filesystem::path& file, unsigned committers,
                  std::chrono::milliseconds length, std::uint64_t key_count) {
  Board& board = new_board();
  quire::Database db{file};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < committers; ++i) {
    threads.emplace_back([&, i] { commit_until_end(db, board, i, key_count); });
  }
  const Turn turn = measure(board, committers, length);
  for (auto& thread : threads) thread.join();
  ::munmap(&board, sizeof board);
  return turn;
}

Turn with_processes(const std::filesystem::path& file, unsigned committers,
                    std::chrono::milliseconds length, std::uint64_t key_count) {
  Board& board = new_board();
  for (unsigned i = 0; i < committers; ++i) {
    if (::fork() != 0) continue;
    {
      quire::Database db{file};
      commit_until_end(db, board, i, key_count);
    }
    ::_exit(0);
  }
  const Turn turn = measure(board, committers, length);
  while (::wait(nullptr) > 0) {
  }
  ::munmap(&board, sizeof board);
  return turn;
}

void remove_file(const std::filesystem::path& file) {
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  std::filesystem::remove(file.string() + ".lock", ignored);
}

void begin_file(const std::filesystem::path& file, std::uint64_t entry_count) {
  remove_file(file);
  quire::Database db{file};
  db.write([&](quire::Transaction& tx) {
    auto table = tx.table();
    for (std::uint64_t i = 0; i < entry_count; ++i) table.put(key_of(i), std::string(100, 'v'));
  });
}

template <typename Value>
Value median(std::vector<Turn> turns, Value Turn::*field) {
  std::sort(turns.begin(), turns.end(),
            [&](const Turn& a, const Turn& b) { return a.*field < b.*field; });
  return turns[turns.size() / 2].*field;
}

}  // namespace

// Usage: bench-commits [FILE [TURNS [MILLISECONDS [ENTRIES]]]]
int main(int argc, char** argv) {
  const std::filesystem::path file = argc > 1 ? argv[1]
                                              : std::filesystem::temp_directory_path() /
                                                    ("quire-bench-" + std::to_string(::getpid()));
  const int turn_count = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::chrono::milliseconds length{argc > 3 ? std::atoi(argv[3]) : 1000};
  const std::uint64_t entry_count = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 0;
  const std::uint64_t key_count = entry_count != 0 ? entry_count : kNewKeys;
  std::vector<Turn> turns[2][std::size(kCommitterCounts)];
  begin_file(file, entry_count);
  with_threads(file, kCommittersMax, kWarmUp, key_count);
  for (int turn = 0; turn < turn_count; ++turn) {
    for (std::size_t i = 0; i < std::size(kCommitterCounts); ++i) {
      turns[0][i].push_back(with_threads(file, kCommitterCounts[i], length, key_count));
      turns[1][i].push_back(with_processes(file, kCommitterCounts[i], length, key_count));
    }
  }
  remove_file(file);
  const char* const names[] = {"threads", "processes"};
  for (int kind = 0; kind < 2; ++kind) {
    const double alone = median(turns[kind][0], &Turn::commits_per_second);
    for (std::size_t i = 0; i < std::size(kCommitterCounts); ++i) {
      const double rate = median(turns[kind][i], &Turn::commits_per_second);
      std::printf("%-9s %u committers %8.0f commits/s %5.2f times one; p50 %4u us, p99 %5u us\n",
                  names[kind], kCommitterCounts[i], rate, rate / alone,
                  median(turns[kind][i], &Turn::p50), median(turns[kind][i], &Turn::p99));
    }
  }
  return 0;
}
