/* Multimaps: several sorted values per key. */
#include <quire/c.h>

#include <stdio.h>

#include "capi_test.h"

enum { kMany = 3000 }; /* values that do not fit in a leaf */

static int insert(quire_multimap* multimap, const char* key, const char* value) {
  return quire_multimap_insert(multimap, quire_text(key), quire_text(value));
}

static int is_pair(quire_bytes key, quire_bytes value, const char* wanted_key,
                   const char* wanted_value) {
  return is_text(key, wanted_key) && is_text(value, wanted_value);
}

static void expect_size(const quire_multimap* multimap, uint64_t pair_count, uint64_t key_count) {
  uint64_t pairs = UINT64_MAX;
  uint64_t keys = UINT64_MAX;
  EXPECT(quire_multimap_size(multimap, &pairs, &keys) == QUIRE_OK);
  EXPECT(pairs == pair_count && keys == key_count);
  EXPECT(quire_multimap_size(multimap, NULL, NULL) == QUIRE_OK);
}

/* Tables and multimaps are not taken for each other. */
static void expect_kinds(quire_txn* txn, quire_bytes name) {
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  const quire_bytes plain = quire_text("plain");
  EXPECT(quire_txn_table(txn, plain, &table) == QUIRE_OK);
  EXPECT(quire_put(table, name, name) == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, plain, &multimap) == QUIRE_MISUSE);
  EXPECT(quire_txn_multimap(txn, quire_text(""), &multimap) == QUIRE_MISUSE);
  EXPECT(quire_txn_table(txn, name, &table) == QUIRE_MISUSE);
  /* Also by a handle that was given out before there was either. */
  EXPECT(quire_txn_multimap(txn, quire_text("neither"), &multimap) == QUIRE_OK);
  EXPECT(quire_txn_table(txn, quire_text("neither"), &table) == QUIRE_OK);
  EXPECT(quire_put(table, name, name) == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, quire_text("neither"), &multimap) == QUIRE_MISUSE);
}

/* In a snapshot it has one pair, and cannot be changed. */
static void expect_fixed(quire_snapshot* now, quire_bytes name) {
  quire_multimap* multimap = NULL;
  EXPECT(quire_is_multimap(now, name) == QUIRE_OK);
  EXPECT(quire_is_multimap(now, quire_text("plain")) == QUIRE_NOT_FOUND);
  EXPECT(quire_is_multimap(now, quire_text("none")) == QUIRE_NOT_FOUND);
  EXPECT(quire_snapshot_multimap(now, quire_text("plain"), &multimap) == QUIRE_MISUSE);
  EXPECT(quire_snapshot_multimap(now, name, &multimap) == QUIRE_OK);
  expect_size(multimap, 1, 1);
  EXPECT(insert(multimap, "x", "y") == QUIRE_READ_ONLY);
  EXPECT(says("quire_txn_multimap"));
  EXPECT(quire_multimap_erase(multimap, name, name) == QUIRE_READ_ONLY);
  EXPECT(quire_multimap_erase_key(multimap, name, NULL) == QUIRE_READ_ONLY);
  EXPECT(quire_multimap_clear(multimap) == QUIRE_READ_ONLY);
}

static void changes_multimaps(void) {
  quire_db* db = open_memory();
  quire_txn* txn = NULL;
  quire_multimap* cities = NULL;
  quire_multimap* again = NULL;
  uint64_t count = 7;
  const quire_bytes name = quire_text("cities");
  const quire_bytes london = quire_text("London");
  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, name, &cities) == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, name, &again) == QUIRE_OK && again == cities);
  expect_size(cities, 0, 0);
  EXPECT(insert(cities, "London", "ada") == QUIRE_OK);
  EXPECT(insert(cities, "London", "alan") == QUIRE_OK);
  EXPECT(insert(cities, "London", "alan") == QUIRE_EXISTS);
  EXPECT(insert(cities, "Paris", "marie") == QUIRE_OK);
  EXPECT(insert(cities, "Rome", "") == QUIRE_OK);
  expect_size(cities, 4, 3);
  EXPECT(quire_multimap_count(cities, london, &count) == QUIRE_OK && count == 2);
  EXPECT(quire_multimap_count(cities, name, &count) == QUIRE_OK && count == 0);
  EXPECT(quire_multimap_contains(cities, london, quire_text("ada")) == QUIRE_OK);
  EXPECT(quire_multimap_contains(cities, london, quire_text("marie")) == QUIRE_NOT_FOUND);
  EXPECT(quire_multimap_erase(cities, london, quire_text("ada")) == QUIRE_OK);
  EXPECT(quire_multimap_erase(cities, london, quire_text("ada")) == QUIRE_NOT_FOUND);
  EXPECT(insert(cities, "Rome", "more") == QUIRE_OK);
  EXPECT(quire_multimap_erase_key(cities, quire_text("Rome"), &count) == QUIRE_OK && count == 2);
  EXPECT(quire_multimap_erase_key(cities, quire_text("Rome"), &count) == QUIRE_NOT_FOUND);
  EXPECT(quire_multimap_erase_key(cities, quire_text("Paris"), NULL) == QUIRE_OK);
  expect_kinds(txn, name);
  EXPECT(quire_commit(txn) == QUIRE_OK);

  quire_snapshot* now = look(db);
  expect_fixed(now, name);
  quire_snapshot_end(now);

  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, name, &cities) == QUIRE_OK);
  EXPECT(quire_multimap_clear(cities) == QUIRE_OK);
  expect_size(cities, 0, 0);
  EXPECT(quire_drop(txn, name) == QUIRE_OK);
  EXPECT(quire_drop(txn, name) == QUIRE_NOT_FOUND);
  EXPECT(insert(NULL, "x", "y") == QUIRE_MISUSE);
  EXPECT(quire_multimap_count(NULL, name, &count) == QUIRE_MISUSE);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  close_sound(db);
}

/* a: 0 and 1; b: none; c: kMany, "0000" and on; d: x. */
static void fill(quire_db* db) {
  quire_txn* txn = NULL;
  quire_multimap* multimap = NULL;
  char text[16];
  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, quire_text("m"), &multimap) == QUIRE_OK);
  EXPECT(insert(multimap, "a", "1") == QUIRE_OK && insert(multimap, "a", "0") == QUIRE_OK);
  EXPECT(insert(multimap, "d", "x") == QUIRE_OK);
  for (int i = 0; i < kMany; ++i) {
    snprintf(text, sizeof text, "%04d", i);
    EXPECT(insert(multimap, "c", text) == QUIRE_OK);
  }
  EXPECT(quire_commit(txn) == QUIRE_OK);
}

static void walk_pairs(const quire_multimap* multimap) {
  quire_cursor* cursor = NULL;
  quire_bytes key;
  quire_bytes value;
  int count = 0;
  EXPECT(quire_cursor_pairs(multimap, NULL, NULL, &cursor) == QUIRE_OK);
  while (quire_cursor_next(cursor, &key, &value) == QUIRE_OK) ++count;
  EXPECT(count == kMany + 3 && is_pair(key, value, "d", "x"));
  while (quire_cursor_previous(cursor, &key, &value) == QUIRE_OK) --count;
  EXPECT(count == 0 && is_pair(key, value, "a", "0"));
  for (; quire_cursor_next_key(cursor, &key, &value) == QUIRE_OK; ++count) {
    EXPECT(is_pair(key, value,
                   count == 0   ? "a"
                   : count == 1 ? "c"
                                : "d",
                   count == 0   ? "0"
                   : count == 1 ? "0000"
                                : "x"));
  }
  EXPECT(count == 3);
  EXPECT(quire_cursor_seek(cursor, quire_text("b"), &key, &value) == QUIRE_OK);
  EXPECT(is_pair(key, value, "c", "0000"));
  EXPECT(quire_cursor_previous(cursor, &key, &value) == QUIRE_OK);
  EXPECT(is_pair(key, value, "a", "1"));
  EXPECT(quire_cursor_next_key(cursor, &key, NULL) == QUIRE_OK && is_text(key, "c"));
  EXPECT(quire_cursor_seek(cursor, quire_text("e"), &key, &value) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);

  const quire_bytes first = quire_text("aa");
  const quire_bytes limit = quire_text("d");
  EXPECT(quire_cursor_pairs(multimap, &first, &limit, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_first(cursor, &key, &value) == QUIRE_OK && is_pair(key, value, "c", "0000"));
  EXPECT(quire_cursor_previous(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_cursor_last(cursor, &key, &value) == QUIRE_OK && is_pair(key, value, "c", "2999"));
  EXPECT(quire_cursor_next_key(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_cursor_seek(cursor, quire_text("a"), &key, NULL) == QUIRE_OK && is_text(key, "c"));
  EXPECT(quire_cursor_seek(cursor, quire_text("d"), NULL, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);

  EXPECT(quire_cursor_pairs(multimap, &limit, &first, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);
  EXPECT(quire_cursor_pairs_prefix(multimap, quire_text("a"), &cursor) == QUIRE_OK);
  for (count = 0; quire_cursor_next(cursor, &key, &value) == QUIRE_OK; ++count) continue;
  EXPECT(count == 2 && is_pair(key, value, "a", "1"));
  quire_cursor_close(cursor);
}

static void walk_values(const quire_multimap* multimap) {
  quire_cursor* cursor = NULL;
  quire_bytes key;
  quire_bytes value;
  int count = 0;
  const quire_bytes c = quire_text("c");
  const quire_bytes first = quire_text("1000x");
  const quire_bytes limit = quire_text("2000");
  EXPECT(quire_cursor_values(multimap, c, NULL, NULL, &cursor) == QUIRE_OK);
  while (quire_cursor_next(cursor, &key, &value) == QUIRE_OK) ++count;
  EXPECT(count == kMany && is_pair(key, value, "c", "2999"));
  EXPECT(quire_cursor_first(cursor, &key, &value) == QUIRE_OK && is_pair(key, value, "c", "0000"));
  EXPECT(quire_cursor_next_key(cursor, &key, &value) == QUIRE_NOT_FOUND);
  EXPECT(quire_cursor_previous(cursor, NULL, &value) == QUIRE_OK && is_text(value, "2999"));
  EXPECT(quire_cursor_seek(cursor, quire_text("3"), NULL, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);

  EXPECT(quire_cursor_values(multimap, c, &first, &limit, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_first(cursor, NULL, &value) == QUIRE_OK && is_text(value, "1001"));
  EXPECT(quire_cursor_last(cursor, NULL, &value) == QUIRE_OK && is_text(value, "1999"));
  EXPECT(quire_cursor_seek(cursor, quire_text("0"), NULL, &value) == QUIRE_OK);
  EXPECT(is_text(value, "1001"));
  EXPECT(quire_cursor_seek(cursor, quire_text("1500"), NULL, &value) == QUIRE_OK);
  EXPECT(is_text(value, "1500"));
  EXPECT(quire_cursor_seek(cursor, quire_text("2000"), NULL, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);
  EXPECT(quire_cursor_values(multimap, c, &first, NULL, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_last(cursor, NULL, &value) == QUIRE_OK && is_text(value, "2999"));
  quire_cursor_close(cursor);
  EXPECT(quire_cursor_values(multimap, c, NULL, &limit, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_last(cursor, NULL, &value) == QUIRE_OK && is_text(value, "1999"));
  quire_cursor_close(cursor);
  EXPECT(quire_cursor_values(multimap, c, &limit, &first, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_first(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_cursor_last(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);

  /* Of keys that are not there, and the last one. */
  const quire_bytes keys[] = {quire_text("b"), quire_text("e"), quire_text("d")};
  for (int i = 0; i < 3; ++i) {
    EXPECT(quire_cursor_values(multimap, keys[i], NULL, NULL, &cursor) == QUIRE_OK);
    EXPECT(quire_cursor_next(cursor, NULL, &value) == (i < 2 ? QUIRE_NOT_FOUND : QUIRE_OK));
    EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
    quire_cursor_close(cursor);
    EXPECT(quire_cursor_values(multimap, keys[i], &first, NULL, &cursor) == QUIRE_OK);
    EXPECT(quire_cursor_last(cursor, NULL, NULL) == (i < 2 ? QUIRE_NOT_FOUND : QUIRE_OK));
    quire_cursor_close(cursor);
  }
}

static void walks_pairs_and_values(void) {
  quire_db* db = open_memory();
  quire_snapshot* now = NULL;
  quire_multimap* multimap = NULL;
  fill(db);
  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  EXPECT(quire_snapshot_multimap(now, quire_text("m"), &multimap) == QUIRE_OK);
  walk_pairs(multimap);
  walk_values(multimap);
  quire_snapshot_end(now);
  close_sound(db);
}

static void erases_and_estimates_keys(void) {
  quire_db* db = open_memory();
  quire_snapshot* now = NULL;
  quire_txn* txn = NULL;
  quire_multimap* multimap = NULL;
  uint64_t count = 0;
  const quire_bytes name = quire_text("m");
  const quire_bytes b = quire_text("b");
  const quire_bytes d = quire_text("d");
  fill(db);
  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  EXPECT(quire_snapshot_multimap(now, name, &multimap) == QUIRE_OK);
  EXPECT(quire_multimap_estimate(multimap, NULL, NULL, &count) == QUIRE_OK && count == 3);
  EXPECT(quire_multimap_estimate(multimap, &b, &d, &count) == QUIRE_OK && count == 1);
  EXPECT(quire_multimap_estimate(multimap, &b, NULL, &count) == QUIRE_OK && count == 2);
  EXPECT(quire_multimap_estimate(multimap, NULL, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_multimap_erase_range(multimap, NULL, NULL, NULL) == QUIRE_READ_ONLY);
  EXPECT(quire_multimap_erase_prefix(multimap, b, NULL) == QUIRE_READ_ONLY);
  quire_snapshot_end(now);

  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, name, &multimap) == QUIRE_OK);
  EXPECT(quire_multimap_erase_range(multimap, &d, &b, &count) == QUIRE_OK && count == 0);
  EXPECT(quire_multimap_erase_range(multimap, &b, &d, &count) == QUIRE_OK && count == kMany);
  expect_size(multimap, 3, 2);
  EXPECT(quire_multimap_erase_prefix(multimap, quire_text("a"), &count) == QUIRE_OK && count == 2);
  EXPECT(insert(multimap, "a", "1") == QUIRE_OK);
  EXPECT(quire_multimap_erase_range(multimap, NULL, &b, NULL) == QUIRE_OK);
  expect_size(multimap, 1, 1);
  EXPECT(quire_multimap_erase_range(multimap, &b, NULL, &count) == QUIRE_OK && count == 1);
  expect_size(multimap, 0, 0);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  close_sound(db);
}

static void lists_what_its_transaction_has(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  const quire_bytes* names = NULL;
  size_t count = 7;
  const quire_bytes a = quire_text("a");
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(quire_txn_tables(txn, &names, &count) == QUIRE_OK && count == 0);
  EXPECT(put_text(table, "a") == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, quire_text("m"), &multimap) == QUIRE_OK);
  EXPECT(quire_txn_is_multimap(txn, quire_text("m")) == QUIRE_NOT_FOUND);
  EXPECT(quire_multimap_insert(multimap, a, a) == QUIRE_OK);
  EXPECT(quire_txn_tables(txn, &names, &count) == QUIRE_OK && count == 2);
  EXPECT(is_text(names[0], "m") && is_text(names[1], "t"));
  EXPECT(quire_txn_is_multimap(txn, names[0]) == QUIRE_OK);
  EXPECT(quire_txn_is_multimap(txn, names[1]) == QUIRE_NOT_FOUND);
  EXPECT(quire_drop(txn, names[1]) == QUIRE_OK);
  EXPECT(quire_txn_tables(txn, &names, &count) == QUIRE_OK && count == 1);
  EXPECT(is_text(names[0], "m"));
  EXPECT(quire_txn_tables(NULL, &names, &count) == QUIRE_MISUSE);
  EXPECT(quire_txn_tables(txn, NULL, &count) == QUIRE_MISUSE);
  EXPECT(quire_txn_tables(txn, &names, NULL) == QUIRE_MISUSE);
  EXPECT(quire_txn_is_multimap(NULL, a) == QUIRE_MISUSE);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  close_sound(db);
}

int run_multimap_tests(void) {
  int failed = 0;
  failed += run("ChangesMultimaps", changes_multimaps);
  failed += run("ListsWhatItsTransactionHas", lists_what_its_transaction_has);
  failed += run("WalksPairsAndValues", walks_pairs_and_values);
  failed += run("ErasesAndEstimatesKeys", erases_and_estimates_keys);
  return failed;
}
