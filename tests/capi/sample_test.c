/* The entry at about a place, and entries spread evenly. */
#include <quire/c.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capi_test.h"

enum { kCount = 5000 };

/* `count` entries "0000" and on, with their keys for values, in "t" and, twice over, in "m". */
static quire_txn* fill(quire_db* db, int count, quire_table** table, quire_multimap** multimap) {
  quire_txn* const txn = begin_in_t(db, table);
  char text[16];
  EXPECT(quire_txn_multimap(txn, quire_text("m"), multimap) == QUIRE_OK);
  put_numbers(*table, count);
  for (int i = 0; i < count; ++i) {
    snprintf(text, sizeof text, "%04d", i);
    EXPECT(quire_multimap_insert(*multimap, quire_text(text), quire_text(text)) == QUIRE_OK);
    EXPECT(quire_multimap_insert(*multimap, quire_text(text), quire_text("x")) == QUIRE_OK);
  }
  return txn;
}

static int number_of(quire_bytes key) {
  char text[16] = {0};
  EXPECT(key.data != NULL && key.size == 4);
  if (key.data != NULL && key.size == 4) memcpy(text, key.data, 4);
  return atoi(text);
}

static void finds_the_entry_at_about_a_place(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  quire_snapshot* now = NULL;
  quire_bytes key = {NULL, 0};
  quire_bytes value = {NULL, 0};
  quire_txn* txn = fill(db, 20, &table, &multimap);
  for (int i = 0; i < 20; ++i) { /* one page */
    EXPECT(quire_nth(table, (uint64_t)i, &key, &value) == QUIRE_OK && number_of(key) == i);
    EXPECT(number_of(value) == i);
  }
  EXPECT(quire_nth(table, 20, &key, &value) == QUIRE_NOT_FOUND && number_of(key) == 19);
  EXPECT(quire_nth(table, 3, NULL, &value) == QUIRE_OK && number_of(value) == 3);
  EXPECT(quire_nth(table, 4, &key, NULL) == QUIRE_OK && number_of(key) == 4);
  EXPECT(quire_nth(table, 4, NULL, NULL) == QUIRE_OK);
  EXPECT(quire_clear(table) == QUIRE_OK && quire_multimap_clear(multimap) == QUIRE_OK);
  EXPECT(quire_nth(table, 0, &key, &value) == QUIRE_NOT_FOUND);
  EXPECT(quire_commit(txn) == QUIRE_OK);

  txn = fill(db, kCount, &table, &multimap);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  EXPECT(quire_snapshot_table(now, quire_text("t"), &table) == QUIRE_OK);
  for (int i = 0; i < kCount; i += 100) {
    EXPECT(quire_nth(table, (uint64_t)i, &key, NULL) == QUIRE_OK);
    EXPECT(abs(number_of(key) - i) < kCount / 10);
  }
  EXPECT(quire_nth(table, kCount, &key, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_nth(table, UINT64_MAX, &key, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_nth(NULL, 0, &key, NULL) == QUIRE_MISUSE);
  quire_snapshot_end(now);
  close_sound(db);
}

/* In order, each once, and every tenth of all has some of them. */
static void expect_spread(const quire_bytes* keys, size_t count) {
  int at = -1;
  for (size_t i = 0; i < count; ++i) {
    const int next = number_of(keys[i]);
    EXPECT(next > at && next - at < kCount / 10);
    at = next;
  }
  EXPECT(at > kCount - kCount / 10);
}

static void samples_evenly(void) {
  static quire_bytes keys[kCount + 1];
  static quire_bytes values[kCount + 1];
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  quire_snapshot* now = NULL;
  size_t found = 7;
  quire_txn* txn = fill(db, kCount, &table, &multimap);
  EXPECT(quire_sample(table, 50, keys, values, &found) == QUIRE_OK && found == 50);
  expect_spread(keys, found);
  expect_spread(values, found);
  EXPECT(quire_multimap_sample(multimap, 50, keys, &found) == QUIRE_OK && found == 50);
  expect_spread(keys, found);
  EXPECT(quire_commit(txn) == QUIRE_OK);

  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  EXPECT(quire_snapshot_table(now, quire_text("t"), &table) == QUIRE_OK);
  EXPECT(quire_snapshot_multimap(now, quire_text("m"), &multimap) == QUIRE_OK);
  EXPECT(quire_sample(table, kCount + 1, keys, NULL, &found) == QUIRE_OK && found == kCount);
  for (int i = 0; i < kCount; ++i) EXPECT(number_of(keys[i]) == i);
  EXPECT(quire_sample(table, 40, NULL, values, &found) == QUIRE_OK && found == 40);
  expect_spread(values, found);
  EXPECT(quire_multimap_sample(multimap, kCount + 1, keys, &found) == QUIRE_OK && found == kCount);
  for (int i = 0; i < kCount; ++i) EXPECT(number_of(keys[i]) == i);
  EXPECT(quire_sample(table, 40, NULL, NULL, &found) == QUIRE_OK && found == 40);
  EXPECT(quire_multimap_sample(multimap, 40, NULL, &found) == QUIRE_OK && found == 40);
  EXPECT(quire_sample(table, 0, NULL, NULL, &found) == QUIRE_OK && found == 0);
  EXPECT(quire_multimap_sample(multimap, 0, keys, &found) == QUIRE_OK && found == 0);
  EXPECT(quire_snapshot_table(now, quire_text("none"), &table) == QUIRE_OK);
  EXPECT(quire_sample(table, 10, keys, values, &found) == QUIRE_OK && found == 0);

  EXPECT(quire_sample(table, 1, keys, values, NULL) == QUIRE_MISUSE);
  EXPECT(quire_sample(NULL, 1, keys, values, &found) == QUIRE_MISUSE);
  EXPECT(quire_multimap_sample(multimap, 1, keys, NULL) == QUIRE_MISUSE);
  EXPECT(quire_multimap_sample(NULL, 1, keys, &found) == QUIRE_MISUSE);
  quire_snapshot_end(now);
  close_sound(db);
}

int run_sample_tests(void) {
  int failed = 0;
  failed += run("FindsTheEntryAtAboutAPlace", finds_the_entry_at_about_a_place);
  failed += run("SamplesEvenly", samples_evenly);
  return failed;
}
