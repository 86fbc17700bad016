// People by a short name, and an index by city that is changed in the same transactions: whoever
// reads sees both or neither.
#include <quire/quire.h>

#include <iostream>
#include <string_view>
#include <utility>

namespace {

// By a short name: (name, city).
constexpr quire::TableDef<std::string_view, std::pair<std::string_view, std::string_view>> kPeople{
    "people"};

constexpr std::string_view kByCity = "by city";  // a multimap: the short names of each city

void put_person(quire::Transaction& tx, std::string_view id, std::string_view name,
                std::string_view city) {
  auto people = tx.table(kPeople);
  auto by_city = tx.multimap(kByCity);
  if (const auto before = people.get(id)) by_city.erase(before->second, id);
  by_city.insert(city, id);
  people.put(id, {name, city});
}

void print_people_of(const quire::Snapshot& snapshot, std::string_view city) {
  const auto people = snapshot.table(kPeople);
  std::cout << city << ':';
  for (const quire::Bytes id : snapshot.multimap(kByCity).values(city)) {
    std::cout << ' ' << people.get(id)->first;
  }
  std::cout << '\n';
}

}  // namespace

int main() {
  quire::Database db{"people.quire"};
  db.write([](quire::Transaction& tx) {
    put_person(tx, "ada", "Ada", "London");
    put_person(tx, "alan", "Alan", "London");
    put_person(tx, "emmy", "Emmy", "Erlangen");
  });
  const quire::Snapshot before = db.snapshot();
  db.write([](quire::Transaction& tx) { put_person(tx, "alan", "Alan", "Manchester"); });
  const quire::Snapshot now = db.snapshot();

  print_people_of(before, "London");
  print_people_of(now, "London");
  print_people_of(now, "Manchester");
}

// Prints:
// London: Ada Alan
// London: Ada
// Manchester: Alan
