#include "storm/contents.h"

#include <cstdio>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "crash/small_file.h"
#include "format/checksum.h"

namespace quire::storm {
namespace {

using test::Random;

constexpr std::uint64_t kKeys = 40;
constexpr std::uint64_t kRowsMax = 30;
constexpr std::uint64_t kRowsEvery = 8;
constexpr std::uint64_t kBallastEntries = 4400;
constexpr std::size_t kBallastBytes = 1900;
constexpr std::uint64_t kBallastEvery = 300;
constexpr std::uint64_t kBallastFor = 8;
constexpr std::size_t kValueBytes[] = {16, 60, 300, 900, 9000, 40'000};
constexpr std::size_t kHugeBytes = 1 << 20;  // makes the file grow
constexpr std::uint64_t kHugeEvery = 400;
constexpr std::uint64_t kDetourEvery = 6;
constexpr const char* kPairs = "pairs";  // a multimap
constexpr std::uint64_t kPairKeys = 6;
constexpr std::uint64_t kPairValues = 60;  // different ones of a key; a leaf holds about 25
constexpr std::uint64_t kPairBytesMax = 60;
constexpr std::uint64_t kDropPairsEvery = 100;

std::string key_of(std::uint64_t key) { return "key " + std::to_string(100 + key); }

std::uint64_t hash(Bytes bytes, std::uint64_t seed) {
  return format::checksum(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), seed);
}

// Of an entry in the sum over its table: any order gives the same sum.
std::uint64_t weight(Bytes key, Bytes value) { return hash(value, hash(key, 1)); }

void put_head(Table& table, const Head& head) {
  table.put("head", {reinterpret_cast<const char*>(&head), sizeof head});
}

// Dropping it frees more pages at once than there are places to note them at first.
void put_ballast(Transaction& transaction) {
  Table ballast = transaction.table("ballast");
  const std::string half_a_page(kBallastBytes, 'b');
  for (std::uint64_t entry = 0; entry < kBallastEntries; ++entry) {
    ballast.put(test::big_endian(entry), half_a_page);
  }
}

void erase_ballast(Transaction& transaction, Random& random) {
  if (random.one_in(2)) {
    transaction.drop("ballast");
    return;
  }
  const std::uint64_t first = random.below(kBallastEntries);
  transaction.table("ballast").erase(test::big_endian(first), test::big_endian(first * 2));
}

// Of all pairs from one place to another in the sum.
std::uint64_t weight(const PairRange& pairs) {
  std::uint64_t sum = 0;
  for (const auto& [key, value] : pairs) sum += weight(key, value);
  return sum;
}

// What going over a state gives.
struct Total {
  std::uint64_t hash = 0;
  std::uint64_t sum = 0;
};

void add_pairs(const MultimapView& map, Total& total, const std::string& at) {
  std::uint64_t pair_count = 0;
  for (const auto& [key, value] : map) {
    total.hash = hash(value, hash(key, total.hash));
    total.sum += weight(key, value);
    ++pair_count;
  }
  std::uint64_t counted = 0;
  for (const Bytes key : map.keys()) counted += map.count(key);
  require(map.size() == pair_count && counted == pair_count, "a wrong number of pairs" + at);
}

template <typename Source>
std::uint64_t require_whole_in(Source& source) {
  const TableView table = source.table();
  const Head head = head_in(table);
  const std::string at = " at state " + std::to_string(head.count);
  Total total;
  std::uint64_t entry_count = 0;
  for (const auto [key, value] : table) {
    total.hash = hash(value, hash(key, total.hash));
    ++entry_count;
    if (key != "head") total.sum += weight(key, value);
  }
  require(table.size() == entry_count, "a wrong number of entries" + at);
  const std::string made = std::to_string(head.count / kRowsEvery * kRowsEvery);
  for (const std::string& name : source.tables()) {
    total.hash = hash(name, total.hash);
    if (name == kPairs) {
      add_pairs(source.multimap(name), total, at);
      continue;
    }
    for (const auto [key, value] : source.table(name)) {
      require(name == "ballast" || value == made, "rows of different transactions" + at);
      total.hash = hash(value, hash(key, total.hash));
    }
  }
  require(total.sum == head.sum, "entries or pairs of different transactions" + at);
  return total.hash;
}

}  // namespace

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

Head head_in(const TableView& table) {
  Head head;
  const auto bytes = table.get("head");
  if (bytes && bytes->size() == sizeof head) std::memcpy(&head, bytes->data(), sizeof head);
  return head;
}

namespace {

std::string pair_key(std::uint64_t key) { return "set " + std::to_string(key); }

// Sets become trees of values and sets again; ranges of them go.
void change_pairs(Transaction& transaction, Head& head, Random& random) {
  Multimap map = transaction.multimap(kPairs);
  const std::string key = pair_key(random.below(kPairKeys));
  if (random.one_in(12)) {
    const std::string limit = pair_key(random.below(kPairKeys));
    head.sum -= weight(map.range(key, limit));
    map.erase_keys(key, limit);
    return;
  }
  if (random.one_in(12)) {
    head.sum -= weight(map.range(key, key + "+"));
    map.erase(key);
    return;
  }
  const bool shrinks = map.count(key) > 0 && random.one_in(3);
  for (std::uint64_t left = random.between(1, 12); left > 0; --left) {
    const std::uint64_t number = random.below(kPairValues);
    const std::string value = test::pattern(8 + number % kPairBytesMax, number);
    if (shrinks) {
      if (map.erase(key, value)) head.sum -= weight(key, value);
    } else if (map.insert(key, value)) {
      head.sum += weight(key, value);
    }
  }
  if (!random.one_in(kDropPairsEvery)) return;
  head.sum -= weight(PairRange{map.begin(), map.end()});
  transaction.drop(kPairs);
}

void change_entries(Transaction& transaction, Head& head, Random& random) {
  Table table = transaction.table();
  const std::uint64_t changes = random.between(1, 6);
  for (std::uint64_t change = 0; change < changes; ++change) {
    const std::string key = key_of(random.below(kKeys));
    if (const auto old = table.get(key)) head.sum -= weight(key, *old);
    if (random.one_in(4)) {
      table.erase(key);
      continue;
    }
    const std::size_t bytes =
        random.one_in(kHugeEvery) ? kHugeBytes : kValueBytes[random.below(std::size(kValueBytes))];
    const std::string value = test::pattern(bytes, random.next());
    table.put(key, value);
    head.sum += weight(key, value);
  }
  if (random.one_in(2)) change_pairs(transaction, head, random);
  put_head(table, head);
  if (random.one_in(kBallastEvery)) put_ballast(transaction);
  if (random.one_in(kBallastFor)) erase_ballast(transaction, random);
  if (head.count % kRowsEvery != 0) return;
  transaction.drop("rows");
  Table rows = transaction.table("rows");
  const std::uint64_t row_count = random.below(kRowsMax);
  for (std::uint64_t row = 0; row < row_count; ++row) {
    rows.put(test::big_endian(row), std::to_string(head.count));
  }
  if (random.one_in(2)) rows.erase(test::big_endian(5), test::big_endian(20));
}

// Another state, which is undone.
void make_detour(Transaction& transaction, Head head, Random& random) {
  const Savepoint undone = transaction.savepoint();
  change_entries(transaction, head, random);
  if (!random.one_in(3)) return;
  Savepoint kept = transaction.savepoint();
  change_entries(transaction, head, random);
  kept.release();
}

}  // namespace

void change(Transaction& transaction, Head& head, Random& random) {
  if (random.one_in(kDetourEvery)) make_detour(transaction, head, random);
  if (random.one_in(kDetourEvery)) {
    transaction.nested([&](Transaction& part) { change_entries(part, head, random); });
  } else {
    change_entries(transaction, head, random);
  }
  if (random.one_in(kDetourEvery)) make_detour(transaction, head, random);
}

std::uint64_t require_whole(const Snapshot& snapshot) { return require_whole_in(snapshot); }
std::uint64_t require_whole(Transaction& transaction) { return require_whole_in(transaction); }

void make_first_state(const std::filesystem::path& file) {
  std::FILE* out = std::fopen(file.c_str(), "wb");
  if (out == nullptr) throw std::runtime_error("cannot create " + file.string());
  for (const crash::Page& page : crash::small_file(1)) {
    std::fwrite(page.data(), page.size(), 1, out);
  }
  std::fclose(out);
  Database database{file};
  database.write([](Transaction& transaction) {
    Table table = transaction.table();
    put_head(table, {});
  });
}

}  // namespace quire::storm
