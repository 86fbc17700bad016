// make-golden DIRECTORY: writes every golden file and its dump, packed, into the directory.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "golden/golden.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

std::string numbered(std::uint64_t number) {
  std::string text = std::to_string(number);
  return std::string(6 - text.size(), '0') + text;
}

void fill_small(Database& db) {
  db.write([](Transaction& tx) {
    tx.table().put("ada", "Ada Lovelace");
    tx.table().put("", "the empty key");
    tx.table("people").put("alan", "Alan Turing");
    tx.table("people").put("nobody", "");
    for (std::uint64_t i = 0; i < 500; ++i) tx.table("numbers").put(numbered(i), numbered(i * i));
  });
  db.write([](Transaction& tx) { tx.table("people").erase("alan"); });
}

void fill_large(Database& db) {
  db.write([&](Transaction& tx) {
    for (std::uint64_t i = 0; i < 6; ++i) {
      const std::string value(db.page_size_bytes() * i + i * 1000, static_cast<char>('a' + i));
      tx.table("large").put(numbered(i), value);
    }
  });
}

// Long keys of different beginnings make few children and many levels.
void fill_deep(Database& db) {
  db.write([&](Transaction& tx) {
    for (std::uint64_t i = 0; i < 48; ++i) {
      const std::string stem(db.page_size_bytes() * 3 / 10, static_cast<char>('a' + i % 6));
      tx.table().put(stem + numbered(i), numbered(i));
    }
  });
}

void fill_holes(Database& db) {
  db.write([&](Transaction& tx) {
    for (std::uint64_t i = 0; i < 3000; ++i) tx.table().put(numbered(i), std::string(300, 'h'));
  });
  db.write([&](Transaction& tx) {
    for (std::uint64_t i = 0; i < 3000; ++i) {
      if (i % 100 != 0) tx.table().erase(numbered(i));
    }
  });
}

// The values of a key as a set, as a tree, and of the greatest length.
void fill_pairs(Database& db) {
  db.write([&](Transaction& tx) {
    Multimap map = tx.multimap("pairs");
    const std::string longest(key_bytes_max(db.page_size_bytes()), 'l');
    map.insert("", "");
    for (std::uint64_t i = 0; i < 100; ++i) map.insert("few " + numbered(i / 3), numbered(i));
    for (std::uint64_t i = 0; i < db.page_size_bytes() / 16; ++i) map.insert("many", numbered(i));
    map.insert(longest, longest);
    map.insert(longest, "short");
    map.insert("z", "last");
    tx.multimap("empty").insert("a", "b");
    tx.multimap("empty").erase("a");
    tx.table("table").put("a", "b");
  });
  db.write([](Transaction& tx) { tx.multimap("pairs").erase("few 000001", "000004"); });
}

void commit_pairs_to_log(Database& db) {
  db.checkpoint();
  db.write([](Transaction& tx) {
    Multimap map = tx.multimap("pairs");
    map.insert("many", "in the log");
    map.erase("many", numbered(7));
    map.erase("few 000005");
    map.erase_keys("few 000010", "few 000020");
    map.erase_keys("n", std::nullopt);
  });
  db.write([](Transaction& tx) { tx.multimap("made in the log").insert("a", "b"); });
  db.write([](Transaction& tx) { tx.drop("empty"); });
}

void fill(Database& db, const std::string& shape) {
  if (shape == "large") return fill_large(db);
  if (shape == "deep") return fill_deep(db);
  if (shape == "holes") return fill_holes(db);
  if (shape == "pairs" || shape == "pairlog") return fill_pairs(db);
  if (shape != "empty") fill_small(db);
}

void commit_to_log(Database& db) {
  db.checkpoint();
  db.put("in the log", "1");
  db.write([](Transaction& tx) { tx.table("made in the log").put("a", std::string(70'000, 'l')); });
  db.erase("ada");
}

void tear_newest_meta(std::string& image) {
  constexpr std::size_t kNewest = 65536;  // creation and every checkpoint end with one of them
  constexpr std::size_t kKept = 128;
  image.replace(kNewest + kKept, 512 - kKept, 512 - kKept, '\0');
}

void make(const Golden& golden, const std::filesystem::path& directory) {
  const ScratchDirectory scratch;
  const std::filesystem::path file = scratch.file("db");
  std::string image;
  std::string dump;
  {
    Database db{file, {.page_size = golden.page_bytes}};
    fill(db, golden.shape);
    if (golden.shape == "unclean") commit_to_log(db);
    if (golden.shape == "pairlog") commit_pairs_to_log(db);
    dump = dump_of(db);
    image = read_file(file);
  }
  const bool is_unclean = golden.shape == "unclean" || golden.shape == "pairlog";
  if (!is_unclean) image = read_file(file);
  if (golden.shape == "torn") tear_newest_meta(image);
  const auto pack = [&](const std::string& name, const std::string& bytes) {
    write_file(scratch.file("bytes"), bytes);
    output_of("gzip -9nc '" + scratch.file("bytes").string() + "' > '" +
              (directory / name).string() + "'");
  };
  pack(golden.name() + ".quire.gz", image);
  pack(golden.name() + ".dump.gz", dump);
}

}  // namespace
}  // namespace quire::test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "make-golden DIRECTORY\n";
    return EXIT_FAILURE;
  }
  for (const quire::test::Golden& golden : quire::test::all_golden()) {
    quire::test::make(golden, argv[1]);
  }
}
