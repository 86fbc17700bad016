// Lookups of single keys.
#include <string>

#include "compare/workload.h"

namespace compare {

namespace {

constexpr std::size_t kKeysAtATime = 4096;  // between two looks at the clock; share a snapshot

std::function<void(Turn&)> get(Choice choice, Scope scope) {
  return [=](Turn& turn) {
    Session& session = turn.session();
    KeyList& keys = turn.keys(choice);
    session.get(keys.next(kKeysAtATime), scope);  // wakes it up
    Seen seen;
    const double each = nanoseconds_each(turn.time(), [&] {
      const auto some = keys.next(kKeysAtATime);
      seen = session.get(some, scope);
      const std::uint64_t expected = choice == Choice::absent ? 0 : some.size();
      require(seen.entry_count == expected, "a lookup gave a wrong answer");
      return some.size();
    });
    turn.report(each);
  };
}

std::function<void(Turn&)> get_many(std::size_t batch) {
  return [=](Turn& turn) {
    Session& session = turn.session();
    KeyList& keys = turn.keys(Choice::present);
    session.get_many(keys.next(kKeysAtATime), batch);
    const double each = nanoseconds_each(turn.time(), [&] {
      const auto some = keys.next(kKeysAtATime);
      const Seen seen = session.get_many(some, batch);
      require(seen.entry_count == some.size(), "a lookup of many keys gave a wrong answer");
      return some.size();
    });
    turn.report(each);
  };
}

}  // namespace

void add_reads(std::vector<Workload>& workloads) {
  workloads.push_back({.name = "get-hit",
                       .about = "random keys that are there, one snapshot for all",
                       .run = get(Choice::present, Scope::all)});
  workloads.push_back({.name = "get-hit-each",
                       .about = "the same, a snapshot for each",
                       .run = get(Choice::present, Scope::each)});
  workloads.push_back({.name = "get-miss",
                       .about = "random keys that are not there",
                       .run = get(Choice::absent, Scope::all)});
  workloads.push_back({.name = "get-skewed",
                       .about = "keys by Zipf's law, exponent 0.99",
                       .run = get(Choice::skewed, Scope::all)});
  for (const std::size_t batch : {8u, 32u, 128u}) {
    workloads.push_back({.name = "get-many-" + std::to_string(batch),
                         .about = "random keys, so many in a call (others: one by one)",
                         .run = get_many(batch)});
  }
}

}  // namespace compare
