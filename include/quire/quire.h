// quire: an embeddable, persistent, ordered key-value store in one memory-mapped file.
//
//   quire::Database db{"people.quire"};
//   db.write([](quire::Transaction& tx) {
//     auto people = tx.table("people");
//     people.put("ada", "Ada Lovelace");
//     people.put("alan", "Alan Turing");
//   });                                     // committed and durable here; a throw rolls back
//
//   auto now = db.snapshot();
//   for (auto [key, value] : now.table("people")) std::cout << key << ": " << value << '\n';
#pragma once

#include <quire/backup.h>
#include <quire/cursor.h>
#include <quire/database.h>
#include <quire/error.h>
#include <quire/inspect.h>
#include <quire/multimap.h>
#include <quire/options.h>
#include <quire/reader.h>
#include <quire/savepoint.h>
#include <quire/table.h>
#include <quire/transaction.h>
#include <quire/typed.h>
#include <quire/typed_multimap.h>
#include <quire/value.h>
