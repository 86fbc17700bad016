// A cache that worker processes share: reading takes no lock and no system call, and whoever misses
// fills it for all. It lives in memory, without a file; the workers inherit its descriptors.
#include <quire/quire.h>

#include <iostream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kWorkers = 4;
constexpr int kPages = 100;

std::string render(int page) { return "<h1>Page " + std::to_string(page) + "</h1>"; }

// Serves every page once. How many of them it had to make itself.
int serve(quire::Database& cache) {
  int made = 0;
  for (int page = 0; page < kPages; ++page) {
    const std::string key = std::to_string(page);
    if (cache.get(key)) continue;
    cache.write([&](quire::Transaction& tx) {
      if (tx.table().insert(key, render(page))) ++made;  // unless somebody was quicker
    });
  }
  return made;
}

}  // namespace

int main() {
  quire::Database cache = quire::Database::in_memory();
  const auto descriptors = *cache.descriptors();
  for (int worker = 0; worker < kWorkers; ++worker) {
    if (fork() == 0) {
      quire::Database own = quire::Database::from_descriptors(descriptors);
      _exit(serve(own));  // the exit code is the number of pages made
    }
  }
  int made = 0;
  int status = 0;
  while (wait(&status) > 0) made += WEXITSTATUS(status);

  std::cout << kWorkers << " workers made " << made << " pages\n";
  std::cout << *cache.get("42") << '\n';
}

// Prints:
// 4 workers made 100 pages
// <h1>Page 42</h1>
