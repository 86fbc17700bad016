#include "compare/worker.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <mutex>
#include <thread>

#include <sys/mman.h>
#include <unistd.h>

#include "compare/board.h"

namespace compare {

namespace {

constexpr std::size_t kKeysAtATime = 256;
constexpr std::size_t kKeyCount = 500'000;

// What a worker is told on its command line, in this order.
struct Task {
  std::string peer;
  std::filesystem::path directory;
  Durability durability = Durability::full;
  KeyShape shape = KeyShape::random;
  std::uint64_t value_bytes = 0;
  std::uint64_t entry_count = 0;
  Action action = Action::get;
  std::uint64_t put_count = 0;
  std::uint64_t first_slot = 0;
  std::uint64_t thread_count = 1;
  std::uint64_t putter_count = 0;
  int board = -1;  // file descriptor
};

std::uint64_t number_of(const char* text) {
  std::uint64_t number = 0;
  const char* const end = text + std::string_view(text).size();
  require(std::from_chars(text, end, number).ptr == end, std::string("not a number: ") + text);
  return number;
}

Task task_of(char** arguments) {
  return {.peer = arguments[0],
          .directory = arguments[1],
          .durability = static_cast<Durability>(number_of(arguments[2])),
          .shape = static_cast<KeyShape>(number_of(arguments[3])),
          .value_bytes = number_of(arguments[4]),
          .entry_count = number_of(arguments[5]),
          .action = static_cast<Action>(number_of(arguments[6])),
          .put_count = number_of(arguments[7]),
          .first_slot = number_of(arguments[8]),
          .thread_count = number_of(arguments[9]),
          .putter_count = number_of(arguments[10]),
          .board = static_cast<int>(number_of(arguments[11]))};
}

constexpr int kTaskArguments = 12;

// Looks all the time at how much memory this process has.
class MemoryWatch {
 public:
  MemoryWatch() : thread_([this] { watch(); }) {}
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  ~MemoryWatch() { end(); }

  void end() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t private_bytes() const noexcept { return private_bytes_; }
  std::uint64_t mapped_bytes() const noexcept { return mapped_bytes_; }

 private:
  void watch() {
    while (!is_over_) {
      look();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    look();
  }
  void look() {
    std::ifstream status("/proc/self/status");
    std::uint64_t mapped = 0;
    for (std::string word; status >> word;) {
      if (word != "RssAnon:" && word != "RssFile:" && word != "RssShmem:") continue;
      std::uint64_t kib = 0;
      status >> kib;
      if (word == "RssAnon:") {
        private_bytes_ = std::max(private_bytes_, kib << 10);
      } else {
        mapped += kib << 10;
      }
    }
    mapped_bytes_ = std::max(mapped_bytes_, mapped);
  }

  std::atomic<bool> is_over_ = false;
  std::uint64_t private_bytes_ = 0;
  std::uint64_t mapped_bytes_ = 0;
  std::thread thread_;
};

void wait_for_go(const MappedBoard& board) {
  ++board->ready;
  while (board->go == 0) std::this_thread::yield();
}

void get_until_stopped(Session& session, const Dataset& dataset, const MappedBoard& board,
                       std::size_t slot) {
  KeyList keys = choose_keys(dataset, Choice::present,
                             std::min<std::uint64_t>(kKeyCount, dataset.entry_count()), slot);
  session.scan(Direction::forward, dataset.entry_count());  // warms caches and page tables
  session.get(keys.next(kKeysAtATime), Scope::all);
  wait_for_go(board);
  while (board->stop == 0) {
    const auto some = keys.next(kKeysAtATime);
    const Seen seen = session.get(some, Scope::all);
    require(seen.entry_count == some.size(), "a lookup gave a wrong answer");
    board->slots[slot].count += some.size();
  }
}

void put_until_stopped(Session& session, const Dataset& dataset, const MappedBoard& board,
                       std::size_t slot_index) {
  Slot& slot = board->slots[slot_index];
  Random random(slot_index + 1000);
  KeyBuffer buffer;
  wait_for_go(board);
  auto start = Clock::now();
  while (board->stop == 0) {
    const std::uint64_t number = random.below(dataset.entry_count());
    const Entry entry{dataset.key(number, buffer), dataset.value(random.next())};
    session.put({&entry, 1});
    slot.count += 1;
    const auto now = Clock::now();
    if (slot.latency_count < kLatenciesMax) {
      slot.latencies[slot.latency_count++] = static_cast<std::uint32_t>((now - start).count());
    }
    start = now;
  }
}

void put_and_die(Session& session, const Dataset& dataset, const MappedBoard& board,
                 std::uint64_t put_count) {
  KeyBuffer buffer;
  wait_for_go(board);
  for (std::uint64_t i = 0; i < put_count; ++i) {
    const std::uint64_t number = i % dataset.entry_count();
    const Entry entry{dataset.key(number, buffer), dataset.value(number)};
    session.put({&entry, 1});
  }
  std::raise(SIGKILL);
}

void work_in_thread(Store& store, const Dataset& dataset, const Task& task,
                    const MappedBoard& board, std::size_t slot) {
  const auto session = store.session();
  if (slot >= task.first_slot + task.thread_count) {
    return put_until_stopped(*session, dataset, board, slot);
  }
  switch (task.action) {
    case Action::get:
      return get_until_stopped(*session, dataset, board, slot);
    case Action::put:
      return put_until_stopped(*session, dataset, board, slot);
    case Action::die:
      return put_and_die(*session, dataset, board, task.put_count);
    case Action::load:
      wait_for_go(board);
      session->load(Source(dataset, Order::random));
      board->slots[slot].count += dataset.entry_count();
  }
}

void work_in_process(const Task& task) {
  const auto peer = std::find_if(all_peers().begin(), all_peers().end(),
                                 [&](const Peer& one) { return one.name == task.peer; });
  require(peer != all_peers().end(), "no peer " + task.peer);
  const MappedBoard board(task.board);
  const Dataset dataset(task.shape, task.value_bytes, task.entry_count);
  MemoryWatch memory;
  {
    const auto store = peer->open({task.directory, task.durability, task.shape, dataset.bytes()});
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < task.thread_count + task.putter_count; ++i) {
      threads.emplace_back(
          [&, i] { work_in_thread(*store, dataset, task, board, task.first_slot + i); });
    }
    for (auto& thread : threads) thread.join();
  }
  memory.end();
  board->slots[task.first_slot].private_bytes = memory.private_bytes();
  board->slots[task.first_slot].mapped_bytes = memory.mapped_bytes();
}

}  // namespace

MappedBoard::MappedBoard(int descriptor) {
  void* const mapped =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  require(mapped != MAP_FAILED, "cannot map the board");
  board_ = static_cast<Board*>(mapped);
}

MappedBoard::~MappedBoard() { ::munmap(board_, sizeof(Board)); }

bool is_worker(int argc, char** argv) {
  return argc == kTaskArguments + 2 && std::string_view(argv[1]) == "--worker";
}

int work(int, char** argv) {
  try {
    work_in_process(task_of(argv + 2));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << argv[2] << ", a process: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace compare
