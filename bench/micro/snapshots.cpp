// Beginning to read, and beginning to write.
#include <quire/quire.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include <benchmark/benchmark.h>
#include <unistd.h>

namespace {

// One database for all threads of a benchmark.
class Home {
 public:
  Home()
      : directory_(std::filesystem::temp_directory_path() /
                   ("quire-micro-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(directory_);
    database_ = std::make_unique<quire::Database>(directory_ / "data.quire");
    database_->put("key", "value");
  }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  ~Home() {
    database_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  quire::Database& database() noexcept { return *database_; }

 private:
  std::filesystem::path directory_;
  std::unique_ptr<quire::Database> database_;
};

quire::Database& database() {
  static Home home;
  return home.database();
}

void SnapshotBeginAndEnd(benchmark::State& state) {
  quire::Database& db = database();
  for (auto _ : state) benchmark::DoNotOptimize(db.snapshot().txn());
}

void TransactionBeginAndRollback(benchmark::State& state) {
  quire::Database& db = database();
  for (auto _ : state) db.begin().rollback();
}

void EmptyRelaxedCommit(benchmark::State& state) {
  quire::Database& db = database();
  for (auto _ : state) db.begin().commit(quire::Durability::relaxed);
}

BENCHMARK(SnapshotBeginAndEnd)->ThreadRange(1, 2);
BENCHMARK(TransactionBeginAndRollback);
BENCHMARK(EmptyRelaxedCommit);

}  // namespace
