#include "compare/fixture.h"

#include <chrono>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace compare {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kProbes = 100;

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// That the store holds what it was given.
void probe(Session& session, const Dataset& dataset, Order order) {
  KeyList keys(kProbes);
  KeyBuffer buffer;
  Random random(3);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < kProbes; ++i) {
    const std::uint64_t number = random.below(dataset.entry_count());
    keys.add(Source(dataset, order).entry(number, buffer).key);
    sum += static_cast<unsigned char>(dataset.value(number).front());
  }
  const Seen seen = session.get(keys.keys(), Scope::all);
  require(seen.entry_count == kProbes && seen.sum == sum, "a loaded store holds other values");
}

}  // namespace

Scratch::Scratch(std::filesystem::path directory, bool is_kept)
    : directory_(std::move(directory)), is_kept_(is_kept) {
  if (!is_kept_) std::filesystem::remove_all(directory_);
  std::filesystem::create_directories(directory_);
}

Scratch::~Scratch() {
  std::error_code ignored;
  if (!is_kept_) std::filesystem::remove_all(directory_, ignored);
}

std::uint64_t disk_bytes(const std::filesystem::path& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status {};
    if (entry.is_regular_file() && ::stat(entry.path().c_str(), &status) == 0) {
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
  }
  return bytes;
}

void come_to_rest(const std::filesystem::path& directory) {
  constexpr std::chrono::milliseconds kPause(10);
  const auto limit = Clock::now() + std::chrono::seconds(10);
  int still_pauses = 0;
  while (still_pauses < 2 && Clock::now() < limit) {
    const double before = processor_seconds();
    std::this_thread::sleep_for(kPause);
    still_pauses = processor_seconds() - before < 0.002 ? still_pauses + 1 : 0;
  }
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::syncfs(descriptor);
  ::close(descriptor);
}

Fixture::Fixture(const Peer& peer, const Dataset& dataset, std::filesystem::path directory,
                 bool is_kept)
    : peer_(peer),
      dataset_(dataset),
      scratch_(std::move(directory), is_kept),
      is_filled_(std::filesystem::exists(mark())) {}

// An empty file that says that the store beside it was filled.
std::filesystem::path Fixture::mark() const { return directory() / "filled"; }

Opening Fixture::opening(Durability durability) const {
  return {directory(), durability, dataset_.shape(), dataset_.bytes()};
}

void Fixture::open(Durability durability) {
  if (store_ && durability_ == durability) return;
  close();
  store_ = peer_.open(opening(durability));
  session_ = store_->session();
  durability_ = durability;
}

Store& Fixture::store(Durability durability) {
  if (!is_filled_) load(Order::random);
  open(durability);
  if (!is_warm_) session_->scan(Direction::forward, dataset_.entry_count());
  is_warm_ = true;
  return *store_;
}

Session& Fixture::session(Durability durability) {
  store(durability);
  return *session_;
}

void Fixture::close() noexcept {
  is_warm_ = false;
  session_.reset();
  store_.reset();
}

void Fixture::will_change() noexcept {
  std::error_code ignored;
  std::filesystem::remove(mark(), ignored);
}

void Fixture::spoil() noexcept {
  close();
  will_change();
  is_filled_ = false;
}

void Fixture::empty() {
  spoil();
  std::filesystem::remove_all(directory());
  std::filesystem::create_directories(directory());
  come_to_rest(directory());
}

double Fixture::load(Order order) {
  empty();
  open(Durability::full);
  const auto start = Clock::now();
  session_->load(Source(dataset_, order));
  const std::chrono::duration<double> took = Clock::now() - start;
  probe(*session_, dataset_, order);
  close();  // what a store still holds in memory it now writes
  come_to_rest(directory());
  is_filled_ = order == Order::random;
  if (is_filled_) std::ofstream{mark()};
  return took.count();
}

}  // namespace compare
