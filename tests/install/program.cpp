// A user's first program, built against nothing but what was installed.
#include <quire/quire.h>

#include <iostream>

int main() {
  quire::Database db{"people.quire"};

  db.write([](quire::Transaction& tx) {
    auto people = tx.table("people");
    people.put("ada", "Ada Lovelace");
    people.put("alan", "Alan Turing");
  });

  auto now = db.snapshot();
  for (auto [key, value] : now.table("people")) std::cout << key << ": " << value << '\n';
}
