// People by number, and an index by city that is changed in the same transactions: whoever reads
// sees both or neither.
#include <quire/quire.h>

#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace {

using Id = std::uint32_t;

// (name, city)
constexpr quire::TableDef<Id, std::pair<std::string_view, std::string_view>> kPeople{"people"};

// (city, number): all is in the key, the value says nothing.
constexpr quire::TableDef<std::tuple<std::string_view, Id>, std::string_view> kByCity{"by city"};

void put_person(quire::Transaction& tx, Id id, std::string_view name, std::string_view city) {
  auto people = tx.table(kPeople);
  auto by_city = tx.table(kByCity);
  if (const auto before = people.get(id)) by_city.erase({before->second, id});
  people.put(id, {name, city});
  by_city.put({city, id}, "");
}

void print_people_of(const quire::Snapshot& snapshot, std::string_view city) {
  const auto people = snapshot.table(kPeople);
  std::cout << city << ':';
  for (auto [key, nothing] : snapshot.table(kByCity).prefix(city)) {
    std::cout << ' ' << people.get(std::get<1>(key))->first;
  }
  std::cout << '\n';
}

}  // namespace

int main() {
  quire::Database db{"people.quire"};
  db.write([](quire::Transaction& tx) {
    put_person(tx, 1, "Ada", "London");
    put_person(tx, 2, "Alan", "London");
    put_person(tx, 3, "Emmy", "Erlangen");
  });
  const quire::Snapshot before = db.snapshot();
  db.write([](quire::Transaction& tx) { put_person(tx, 2, "Alan", "Manchester"); });
  const quire::Snapshot now = db.snapshot();

  print_people_of(before, "London");
  print_people_of(now, "London");
  print_people_of(now, "Manchester");
}

// Prints:
// London: Ada Alan
// London: Ada
// Manchester: Alan
