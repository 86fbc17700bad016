// Transactions of one writer in a filled store.
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare/changes.h"
#include "compare/workload.h"

namespace compare {

namespace {

// Beside the median for each put: how long transactions take.
void report_latencies(Turn& turn, std::vector<double>& nanoseconds) {
  std::sort(nanoseconds.begin(), nanoseconds.end());
  const auto at = [&](double share) {
    return nanoseconds[static_cast<std::size_t>(static_cast<double>(nanoseconds.size() - 1) *
                                                share)];
  };
  turn.report(at(0.5), Unit::nanoseconds, "p50");
  turn.report(at(0.99), Unit::nanoseconds, "p99");
}

// Files, logs and caches grow with the first changes after a load, and stay.
void warm_up(Turn& turn, Session& session) {
  constexpr std::size_t kBatch = 1000;
  constexpr int kTurns = 10;
  Overwrites overwrites(turn, kBatch);
  nanoseconds_each(kTurns * turn.time(), [&] {
    session.put(overwrites.next());
    return kBatch;
  });
  come_to_rest(turn.fixture().directory());
}

std::function<void(Turn&)> put(Durability durability, std::size_t batch) {
  return [=](Turn& turn) {
    Session& session = turn.session(durability);
    if (turn.is_first()) warm_up(turn, session);
    Overwrites overwrites(turn, batch);
    // Looking at the clock costs nothing beside a flush, and too much beside a relaxed put.
    const std::size_t transactions = durability == Durability::full || batch > 1 ? 1 : 64;
    std::vector<double> latencies;
    const double each = nanoseconds_each(turn.time(), [&] {
      const auto start = Clock::now();
      for (std::size_t i = 0; i < transactions; ++i) session.put(overwrites.next());
      latencies.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
      return transactions * batch;
    });
    turn.report(each);
    if (durability == Durability::full) report_latencies(turn, latencies);
    come_to_rest(turn.fixture().directory());
  };
}

// A file in which single pages are made dirty. It is written page by page, because the system may
// keep what is written at once as one folio, which then is dirty as a whole.
class MappedPages {
 public:
  explicit MappedPages(std::filesystem::path file) : file_(std::move(file)) {
    const int descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    const std::string zeros(kPageBytes, '\0');
    for (std::size_t page = 0; page < kPages; ++page) {
      require(::write(descriptor, zeros.data(), kPageBytes) == ssize_t{kPageBytes},
              "cannot write " + file_.string());
    }
    ::fsync(descriptor);
    void* const mapped =
        ::mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    ::close(descriptor);
    require(mapped != MAP_FAILED, "cannot map " + file_.string());
    bytes_ = static_cast<char*>(mapped);
  }
  MappedPages(const MappedPages&) = delete;
  MappedPages& operator=(const MappedPages&) = delete;
  ~MappedPages() {
    ::munmap(bytes_, kPages * kPageBytes);
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }

  void change_and_flush(std::size_t number) {
    char* const page = bytes_ + number % kPages * kPageBytes;
    *page = static_cast<char>(*page + 1);
    require(::msync(page, kPageBytes, MS_SYNC) == 0, "msync of one page failed");
  }

 private:
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::size_t kPages = 1024;
  std::filesystem::path file_;
  char* bytes_ = nullptr;
};

// What a flush costs at least.
void one_page_msync(Turn& turn) {
  MappedPages pages(turn.fixture().directory() / "msync");
  std::vector<double> latencies;
  std::size_t page = 0;
  turn.report(nanoseconds_each(turn.time(), [&] {
    const auto start = Clock::now();
    pages.change_and_flush(page++);
    latencies.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
    return 1;
  }));
  report_latencies(turn, latencies);
}

// Erases half of the entries, puts them back while nobody measures, and so on.
std::function<void(Turn&)> erase(Durability durability, std::size_t batch) {
  return [=](Turn& turn) {
    Session& session = turn.session(durability);
    Batches batches(turn.dataset(), batch);
    const std::uint64_t limit = std::max<std::uint64_t>(turn.dataset().entry_count() / 2, batch);
    const std::uint64_t first = turn.random().below(turn.dataset().entry_count());
    std::uint64_t total = 0;
    std::chrono::nanoseconds taken{};
    while (taken < turn.time()) {
      std::uint64_t count = 0;
      for (; count + batch <= limit && taken < turn.time(); count += batch) {
        const auto keys = batches.keys_from(first + count);
        const auto start = Clock::now();
        session.erase(keys);
        taken += Clock::now() - start;
      }
      for (std::uint64_t i = 0; i < count; i += batch) session.put(batches.from(first + i));
      total += count;
    }
    turn.report(static_cast<double>(taken.count()) / static_cast<double>(total));
    come_to_rest(turn.fixture().directory());
  };
}

}  // namespace

void add_writes(std::vector<Workload>& workloads) {
  for (const auto durability : {Durability::full, Durability::relaxed}) {
    const std::string kind = durability == Durability::full ? "durable" : "relaxed";
    for (const std::size_t batch : {1u, 1000u}) {
      workloads.push_back(
          {.name = (batch == 1 ? "put-" : "put-" + std::to_string(batch) + "-") + kind,
           .about = "overwrites random entries, so many in a transaction",
           .run = put(durability, batch),
           .changes = true});
      if (batch == 1 && durability == Durability::full) {
        workloads.back().reference_name = "msync";
        workloads.back().reference = one_page_msync;
      }
    }
  }
  workloads.push_back({.name = "erase-1000-relaxed",
                       .about = "erases random entries, so many in a transaction",
                       .run = erase(Durability::relaxed, 1000),
                       .changes = true});
}

}  // namespace compare
