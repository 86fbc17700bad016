// A program that keeps its state: how often it was started, and what it is set to.
#include <quire/quire.h>

#include <cstdint>
#include <iostream>
#include <string_view>

namespace {

constexpr quire::TableDef<std::string_view, std::uint64_t> kCounters{"counters"};
constexpr quire::TableDef<std::string_view, std::string_view> kSettings{"settings"};

// One run of the program.
void run(std::string_view language) {
  quire::Database db{"program.quire"};

  const std::uint64_t starts = db.write([&](quire::Transaction& tx) {
    auto counters = tx.table(kCounters);
    const std::uint64_t count = counters.get("starts").value_or(0) + 1;
    counters.put("starts", count);
    if (!language.empty()) tx.table(kSettings).put("language", language);
    return count;
  });  // here it is on disk; an exception would have undone all of it

  const quire::Snapshot now = db.snapshot();
  const auto chosen = now.table(kSettings).get("language");
  std::cout << "start " << starts << ", language " << chosen.value_or("not set") << '\n';
}

}  // namespace

int main() {
  run("");
  run("Esperanto");
  run("");
}

// Prints:
// start 1, language not set
// start 2, language Esperanto
// start 3, language Esperanto
