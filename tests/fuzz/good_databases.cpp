// Seeds: databases as quire leaves them, closed and killed.
#include <quire/quire.h>

#include <cstring>
#include <functional>

#include "format/meta.h"
#include "fuzz/disk.h"
#include "fuzz/seeds.h"
#include "fuzz/session.h"
#include "fuzz/small_file.h"

namespace quire::fuzz {
namespace {

// What operations do with these databases; any bytes would do.
const std::vector<std::uint8_t> kProgram = {
    0x00, 0, 0, 'a', 10,   0x02, 0, 0, 'b', 0xff, 0x7f, 0x09, 1,    0x04, 0, 6, 1,    'm',
    0x0c, 3, 3, 0,   7,    3,    0, 0, 'z', 20,   0,    0x09, 2,    0x0a, 4, 0, 7,    0,
    'c',  7, 0, 0,   0x0b, 0,    0, 5, 0,   0,    1,    0x0d, 0x08, 4,    0, 9, 0x0e, 0};

using Fill = std::function<void(Database&)>;

enum class Ending { closed, killed };

Seed make(const std::string& name, std::uint32_t page_bytes, std::uint32_t page_count,
          const Fill& fill, Ending ending = Ending::closed) {
  Disk disk;
  disk.store(small_file(page_bytes, page_count));
  Seed seed{name, {{}, kProgram}};
  {
    Database database(disk.path(), fuzz_options());
    fill(database);
    seed.input.file = disk.load();
  }
  if (ending == Ending::closed) seed.input.file = disk.load();
  return seed;
}

// Values are mostly zeros, so that inputs stay small.
std::string value(std::size_t size_bytes, std::uint64_t mark) {
  std::string bytes(size_bytes, '\0');
  std::memcpy(bytes.data(), &mark, std::min(size_bytes, sizeof mark));
  return bytes;
}

// Keys that differ at the front and, within a group, only far behind: long separators.
std::string long_key(std::uint64_t number) {
  std::string key(1500, '\0');
  key[0] = static_cast<char>('a' + number % 13);
  key[1490] = static_cast<char>(number / 13 + 1);
  return key;
}

void put_many(Transaction& transaction, Bytes name, int count, std::size_t value_bytes) {
  Table table = transaction.table(name);
  for (int i = 0; i < count; ++i) {
    const int number = i * 37 % count;
    table.put("key" + std::to_string(number), value(value_bytes, static_cast<std::uint64_t>(i)));
  }
}

void fill_mixed(Database& database) {
  database.write([](Transaction& tx) {
    put_many(tx, "", 40, 100);
    put_many(tx, "first", 5, 200);
    tx.table("large").put("one", value(9000, 1));
    tx.table("large").put("two", value(4097, 2));
  });
}

void fill_tables(Database& database) {
  database.write([](Transaction& tx) {
    for (const char* name : {"a", "bb", "ccc", "dddd"}) put_many(tx, name, 3, 30);
    tx.table("empty").put("k", "v");
    tx.table("empty").erase("k");
  });
}

void fill_deep(Database& database) {
  database.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 40; ++i) tx.table().put(long_key(i), value(60, i));
  });
}

void fill_large(Database& database) {
  database.write([](Transaction& tx) {
    for (std::uint64_t i = 0; i < 6; ++i) {
      tx.table().put("large" + std::to_string(i), value(2000 + i * 3000, i));
    }
  });
}

void fill_and_erase(Database& database) {
  database.write([](Transaction& tx) { put_many(tx, "", 150, 100); });
  database.checkpoint();
  database.write([](Transaction& tx) {
    for (int i = 0; i < 150; i += 3) tx.table().erase("key" + std::to_string(i));
  });
}

void insert_pairs(Transaction& tx, Bytes key, int count) {
  for (int i = 0; i < count; ++i) {
    tx.multimap("pairs").insert(key, "value" + std::to_string(i * 37 % count));
  }
}

// Keys with few values, and with as many as make a tree of one and of three pages.
void fill_pairs(Database& database) {
  database.write([](Transaction& tx) {
    insert_pairs(tx, "a", 1);
    insert_pairs(tx, "b", 5);
    insert_pairs(tx, "c", 120);
    insert_pairs(tx, "d", 300);
  });
}

void commit_pairs(Database& database) {
  fill_pairs(database);
  database.write([](Transaction& tx) { insert_pairs(tx, "e", 4); });
  database.write([](Transaction& tx) { tx.multimap("pairs").erase("b", "value1"); });
  database.write([](Transaction& tx) { tx.multimap("pairs").erase("c"); });
  database.write([](Transaction& tx) { tx.multimap("other").insert("k", "v"); });
}

// Everything that a log record can say, one commit each.
void commit_all_kinds(Database& database) {
  database.write([](Transaction& tx) { put_many(tx, "", 10, 40); });
  database.write([](Transaction& tx) { put_many(tx, "new", 4, 40); });
  database.write([](Transaction& tx) { tx.table("new").put("large", value(5000, 5)); });
  database.write([](Transaction& tx) { tx.table("new").clear(); });
  database.write([](Transaction& tx) { tx.table("other").put("k", "v"); });
  database.write([](Transaction& tx) { tx.drop("new"); });
  database.write([](Transaction& tx) { tx.table().erase("key3"); });
}

// Until the log has gone round its ring: pads, positions beyond its size.
void go_round_the_log(Database& database) {
  for (int round = 0; round < 12; ++round) {
    database.write([&](Transaction& tx) { put_many(tx, "", 9, 900); });
    if (round % 5 == 4) database.checkpoint();
  }
}

// As a death between the two metas of a checkpoint leaves it: the second slot holds the one before.
Seed between_metas() {
  Seed older = make("", 4096, 160, fill_mixed);
  Seed seed = make("between-metas", 4096, 160, [&](Database& database) {
    fill_mixed(database);
    database.checkpoint();
    database.put("later", "value");
    database.erase("key7");
    database.checkpoint();
  });
  seed.name = "between-metas";
  const format::Meta* metas[2] = {};
  for (int slot = 0; slot < 2; ++slot) {
    metas[slot] =
        reinterpret_cast<const format::Meta*>(seed.input.file.data() + format::kMetaOffset[slot]);
  }
  const int oldest = metas[0]->sequence < metas[1]->sequence ? 0 : 1;
  std::memcpy(seed.input.file.data() + format::kMetaOffset[oldest],
              older.input.file.data() + format::kMetaOffset[oldest], format::kMetaBytes);
  return seed;
}

}  // namespace

std::vector<Seed> good_databases() {
  std::vector<Seed> seeds;
  const auto nothing = [](Database&) {};
  seeds.push_back(make("empty", 4096, 128, nothing));
  seeds.push_back(make("mixed", 4096, 160, fill_mixed));
  seeds.push_back(make("mixed-killed", 4096, 160, fill_mixed, Ending::killed));
  seeds.push_back(make("tables", 4096, 160, fill_tables));
  seeds.push_back(make("deep", 4096, 192, fill_deep));
  seeds.push_back(make("deep-killed", 4096, 160, fill_deep, Ending::killed));
  seeds.push_back(make("large", 4096, 160, fill_large));
  seeds.push_back(make("erased", 4096, 160, fill_and_erase));
  seeds.push_back(make("erased-killed", 4096, 160, fill_and_erase, Ending::killed));
  seeds.push_back(make("log", 4096, 160, commit_all_kinds, Ending::killed));
  seeds.push_back(make("log-round", 4096, 160, go_round_the_log, Ending::killed));
  seeds.push_back(make("pairs", 4096, 160, fill_pairs));
  seeds.push_back(make("pairs-killed", 4096, 160, commit_pairs, Ending::killed));
  seeds.push_back(make("full", 4096, 56, fill_and_erase));
  seeds.push_back(make("pages-8k", 8192, 128, fill_mixed, Ending::killed));
  seeds.push_back(make("pages-16k", 16384, 96, commit_all_kinds, Ending::killed));
  seeds.push_back(make("pages-32k", 32768, 88, fill_tables));
  seeds.push_back(make("pages-64k", 65536, 84, fill_mixed));
  seeds.push_back(between_metas());
  return seeds;
}

}  // namespace quire::fuzz
