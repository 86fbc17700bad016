// What is written to the device, and what becomes of the size.
#include <fstream>
#include <string>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "compare/changes.h"
#include "compare/workload.h"

namespace compare {

namespace {

constexpr std::size_t kChurnBatch = 1000;
constexpr std::uint64_t kSectorBytes = 512;

// Bytes that the device below `directory` has written since the system started, whoever has asked
// for it.
std::uint64_t device_bytes_written(const std::filesystem::path& directory) {
  struct stat status {};
  require(::stat(directory.c_str(), &status) == 0, "no " + directory.string());
  std::ifstream statistics("/sys/dev/block/" + std::to_string(major(status.st_dev)) + ":" +
                           std::to_string(minor(status.st_dev)) + "/stat");
  std::uint64_t number = 0;
  for (int field = 0; field < 7; ++field) statistics >> number;
  require(static_cast<bool>(statistics), "no block device below " + directory.string());
  return number * kSectorBytes;
}

// For as long as some turns take, because what is written late counts as well.
std::function<void(Turn&)> device_bytes(std::size_t batch, int turns,
                                        std::uint64_t puts_for_each_entry) {
  return [=](Turn& turn) {
    const auto& directory = turn.fixture().directory();
    Session& session = turn.session(Durability::full);
    turn.fixture().store(Durability::full).settle();
    come_to_rest(directory);
    Overwrites overwrites(turn, batch);
    const std::uint64_t count_max = turn.dataset().entry_count() * puts_for_each_entry;
    const std::uint64_t before = device_bytes_written(directory);
    const auto limit = Clock::now() + turns * turn.time();
    std::uint64_t count = 0;
    for (; count < count_max && Clock::now() < limit; count += batch) {
      session.put(overwrites.next());
    }
    come_to_rest(directory);
    turn.report(
        static_cast<double>(device_bytes_written(directory) - before) / static_cast<double>(count),
        Unit::bytes);
  };
}

// Half of the entries are erased and put in again, and the other half: the size then.
void churn(Turn& turn) {
  turn.fixture().load(Order::random);
  Session& session = turn.session(Durability::relaxed);
  Batches batches(turn.dataset(), kChurnBatch);
  const std::uint64_t half = turn.dataset().entry_count() / 2;
  const auto start = Clock::now();
  for (const std::uint64_t first : {std::uint64_t{0}, half}) {
    for (std::uint64_t i = 0; i < half; i += kChurnBatch) {
      session.erase(batches.keys_from(first + i));
    }
    for (std::uint64_t i = 0; i < half; i += kChurnBatch) session.put(batches.from(first + i));
  }
  const std::chrono::duration<double, std::nano> took = Clock::now() - start;
  turn.report(took.count() / static_cast<double>(4 * half));
  turn.fixture().store(Durability::relaxed).settle();
  come_to_rest(turn.fixture().directory());
  turn.fixture().close();
  turn.report(static_cast<double>(disk_bytes(turn.fixture().directory())), Unit::bytes, "size");
  turn.fixture().spoil();
}

}  // namespace

void add_space(std::vector<Workload>& workloads) {
  workloads.push_back({.name = "device-put-durable",
                       .about = "bytes that the device writes for a single durable put, with all "
                                "that is written late",
                       .run = device_bytes(1, 10, 1),
                       .changes = true});
  workloads.push_back({.name = "device-put-1000-durable",
                       .about = "the same in transactions of 1000",
                       .run = device_bytes(1000, 15, 2),
                       .changes = true});
  workloads.push_back({.name = "churn",
                       .about = "erases half of the entries, puts them in again, then the other "
                                "half; time of each, and the size in the end",
                       .run = churn,
                       .changes = true});
}

}  // namespace compare
