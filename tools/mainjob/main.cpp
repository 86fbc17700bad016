// The main job: several processes look up every word of a list, again and again, while one more
// commits changes to the same table. Prints how fast each of them was. tools/quickstart runs it.
#include <quire/quire.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

// Readers take a fresh snapshot after this many lookups, and so follow what is committed.
constexpr std::size_t kLookupsPerSnapshot = 1000;

struct Job {
  std::string file;
  std::string word_file;
  std::string table = "words";
  unsigned reader_count = 4;
  unsigned seconds = 5;
  std::vector<std::string> words;  // the value of words[i] begins with the line number i + 1
};

struct Result {
  unsigned worker = 0;
  std::uint64_t operation_count = 0;
  double seconds = 0;
};

using Work = std::function<std::uint64_t(quire::Database&, Clock::time_point deadline)>;

// A pipe of small messages between the processes.
class Channel {
 public:
  Channel() {
    if (pipe(ends_) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ~Channel() {
    close(ends_[0]);
    close_sender();
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  template <class Message>
  void send(const Message& message) const {
    if (write(ends_[1], &message, sizeof message) != sizeof message) {
      throw std::system_error(errno, std::generic_category(), "write to a pipe");
    }
  }

  // False when every sender has closed its end.
  template <class Message>
  bool receive(Message& message) const {
    return read(ends_[0], &message, sizeof message) == sizeof message;
  }

  void close_sender() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2];
};

std::vector<std::string> read_words(const std::string& path) {
  std::ifstream file{path};
  std::vector<std::string> words;
  for (std::string line; std::getline(file, line);) words.push_back(line);
  if (words.empty()) throw std::runtime_error(path + ": no words to read");
  return words;
}

void expect_line_number(quire::Bytes value, std::size_t expected, std::string_view word) {
  std::size_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  if (number != expected) {
    throw std::runtime_error("wrong value \"" + std::string(value) + "\" of " + std::string(word));
  }
}

// Looks up all words in an order of its own, until the deadline and at least once.
std::uint64_t look_up_words(const Job& job, unsigned seed, const quire::Database& database,
                            Clock::time_point deadline) {
  std::vector<std::size_t> order(job.words.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937{seed});

  std::uint64_t lookup_count = 0;
  while (lookup_count < order.size() || Clock::now() < deadline) {
    const quire::Snapshot snapshot = database.snapshot();
    const quire::TableView table = snapshot.table(job.table);
    for (std::size_t i = 0; i < kLookupsPerSnapshot; ++i) {
      const std::size_t line = order[lookup_count++ % order.size()];
      const auto value = table.get(job.words[line]);
      if (!value) throw std::runtime_error("not found: " + job.words[line]);
      expect_line_number(*value, line + 1, job.words[line]);
    }
  }
  return lookup_count;
}

// Changes one random word per commit; each commit is durable before the next begins.
std::uint64_t commit_changes(const Job& job, quire::Database& database,
                             Clock::time_point deadline) {
  std::mt19937 random{0};
  std::uniform_int_distribution<std::size_t> pick{0, job.words.size() - 1};
  std::uint64_t commit_count = 0;
  while (Clock::now() < deadline) {
    const std::size_t i = pick(random);
    quire::Transaction transaction = database.begin();
    transaction.table(job.table).put(
        job.words[i], std::to_string(i + 1) + " changed by commit " + std::to_string(commit_count));
    transaction.commit(quire::Durability::full);
    ++commit_count;
  }
  return commit_count;
}

// In a process of its own: opens the database, says so, waits for the start, works, reports.
void start_worker(unsigned worker, const Job& job, const Work& work, Channel& ready, Channel& start,
                  const Channel& results) {
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child > 0) return;
  try {
    start.close_sender();
    quire::Database database{job.file, {.create_if_missing = false}};
    ready.send(worker);
    ready.close_sender();
    char nothing = 0;
    start.receive(nothing);
    const auto begin = Clock::now();
    Result result{.worker = worker};
    result.operation_count = work(database, begin + std::chrono::seconds{job.seconds});
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    results.send(result);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quire-mainjob: process %u: %s\n", worker, error.what());
    _exit(1);
  }
  _exit(0);
}

// Returns the results in the order of the workers; the last one is the writer.
std::vector<Result> run(const Job& job) {
  Channel ready;
  Channel start;
  Channel results;
  const unsigned worker_count = job.reader_count + 1;
  for (unsigned worker = 0; worker < worker_count; ++worker) {
    const Work work = [&, worker](quire::Database& database, Clock::time_point deadline) {
      return worker < job.reader_count ? look_up_words(job, worker, database, deadline)
                                       : commit_changes(job, database, deadline);
    };
    start_worker(worker, job, work, ready, start, results);
  }
  ready.close_sender();
  results.close_sender();
  for (unsigned worker = 0; ready.receive(worker);) continue;
  start.close_sender();

  std::vector<Result> found;
  for (Result result; results.receive(result);) found.push_back(result);
  bool failed = found.size() != worker_count;
  for (int status = 0; wait(&status) > 0;) failed = failed || status != 0;
  if (failed) throw std::runtime_error("a process failed");
  std::sort(found.begin(), found.end(),
            [](const Result& left, const Result& right) { return left.worker < right.worker; });
  return found;
}

void print(const Job& job, const std::vector<Result>& results) {
  for (const Result& result : results) {
    const auto count = static_cast<double>(result.operation_count);
    if (result.worker < job.reader_count) {
      std::printf("reader %u: %9.0f lookups per second, %.1f times all %zu words\n",
                  result.worker + 1, count / result.seconds,
                  count / static_cast<double>(job.words.size()), job.words.size());
    } else {
      std::printf("writer:   %9.0f commits per second, each flushed before the next\n",
                  count / result.seconds);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Job job;
  CLI::App app{"Readers in several processes look up all words while one more process commits."};
  app.add_option("FILE", job.file, "database that holds the words")->required();
  app.add_option("WORDS", job.word_file, "word list; each value begins with its line's number")
      ->required();
  app.add_option("--table", job.table, "table of the words")->capture_default_str();
  app.add_option("--readers", job.reader_count, "reading processes")->capture_default_str();
  app.add_option("--seconds", job.seconds, "how long to work")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    job.words = read_words(job.word_file);
    print(job, run(job));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quire-mainjob: %s\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
