// Large values, beside memcpy from and to a mapped file.
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare/changes.h"
#include "compare/workload.h"

namespace compare {

namespace {

void put_large(Turn& turn) {
  Session& session = turn.session(Durability::relaxed);
  Overwrites overwrites(turn, 1);
  const auto put_one = [&] {
    session.put(overwrites.next());
    return 1;
  };
  nanoseconds_each(turn.time(), put_one);  // until pages that it has used before are used again
  turn.report(nanoseconds_each(turn.time(), put_one));
  come_to_rest(turn.fixture().directory());
}

void get_large(Turn& turn) {
  Session& session = turn.session();
  KeyList& keys = turn.keys(Choice::present);
  std::string copy(turn.dataset().value_bytes(), '\0');
  const auto get_one = [&] {
    require(session.get_copies(keys.next(1), copy).entry_count == 1, "a value is missing");
    return 1;
  };
  nanoseconds_each(turn.time(), get_one);
  turn.report(nanoseconds_each(turn.time(), get_one));
}

// As many mapped bytes as the values together, in a file, all of them present and written to.
class MappedValues {
 public:
  MappedValues(std::filesystem::path file, const Dataset& dataset)
      : file_(std::move(file)), value_bytes_(dataset.value_bytes()), count_(dataset.entry_count()) {
    const int descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    require(descriptor >= 0 && ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes())) == 0,
            "cannot write " + file_.string());
    void* const mapped =
        ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, 0);
    ::close(descriptor);
    require(mapped != MAP_FAILED, "cannot map " + file_.string());
    mapped_ = static_cast<char*>(mapped);
    std::memset(mapped_, 1, bytes());
  }
  MappedValues(const MappedValues&) = delete;
  MappedValues& operator=(const MappedValues&) = delete;
  ~MappedValues() {
    ::munmap(mapped_, bytes());
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }
  char* at(std::uint64_t number) const noexcept { return mapped_ + number % count_ * value_bytes_; }

 private:
  std::size_t bytes() const noexcept { return value_bytes_ * count_; }

  std::filesystem::path file_;
  std::size_t value_bytes_;
  std::uint64_t count_;
  char* mapped_ = nullptr;
};

void copy_to_map(Turn& turn) {
  const MappedValues values(turn.fixture().directory() / "memcpy", turn.dataset());
  Random random = turn.random();
  turn.report(nanoseconds_each(turn.time(), [&] {
    const Bytes value = turn.dataset().value(random.next());
    std::memcpy(values.at(random.below(turn.dataset().entry_count())), value.data(), value.size());
    return 1;
  }));
}

void copy_from_map(Turn& turn) {
  const MappedValues values(turn.fixture().directory() / "memcpy", turn.dataset());
  Random random = turn.random();
  std::string copy(turn.dataset().value_bytes(), '\0');
  turn.report(nanoseconds_each(turn.time(), [&] {
    std::memcpy(copy.data(), values.at(random.below(turn.dataset().entry_count())), copy.size());
    asm volatile("" : : "r"(copy.data()) : "memory");  // or the copy may be left out
    return 1;
  }));
}

}  // namespace

void add_large(std::vector<Workload>& workloads) {
  workloads.push_back({.name = "get-large",
                       .about = "looks a large value up and copies it to memory of its own",
                       .run = get_large,
                       .reference_name = "memcpy",
                       .reference = copy_from_map});
  workloads.push_back({.name = "put-large",
                       .about = "overwrites a large value, in a relaxed transaction",
                       .run = put_large,
                       .changes = true,
                       .reference_name = "memcpy",
                       .reference = copy_to_map});
}

}  // namespace compare
