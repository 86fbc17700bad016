/* Changes within transactions: savepoints, ranges, calls that look and change, and who may not. */
#include <quire/c.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "capi_test.h"

static quire_txn* begin(quire_db* db, quire_table** table) {
  quire_txn* txn = NULL;
  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_table(txn, quire_text("t"), table) == QUIRE_OK);
  return txn;
}

static int put(quire_table* table, const char* key) {
  return quire_put(table, quire_text(key), quire_text(key));
}

static int has(const quire_table* table, const char* key) {
  quire_bytes value;
  return quire_get(table, quire_text(key), &value) == QUIRE_OK && is_text(value, key);
}

static uint64_t count_of(const quire_table* table) {
  uint64_t count = 0;
  EXPECT(quire_count(table, &count) == QUIRE_OK);
  return count;
}

static void goes_back_to_savepoints(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_txn* txn = begin(db, &table);
  quire_savepoint* outer = NULL;
  quire_savepoint* inner = NULL;
  quire_savepoint* kept = NULL;
  EXPECT(put(table, "a") == QUIRE_OK);
  EXPECT(quire_savepoint_begin(txn, &outer) == QUIRE_OK);
  EXPECT(put(table, "b") == QUIRE_OK);
  EXPECT(quire_savepoint_begin(txn, &inner) == QUIRE_OK);
  EXPECT(quire_clear(table) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(inner) == QUIRE_OK);
  EXPECT(has(table, "a") && has(table, "b"));
  EXPECT(put(table, "c") == QUIRE_OK);
  EXPECT(quire_savepoint_release(inner) == QUIRE_OK);
  EXPECT(has(table, "c"));
  EXPECT(quire_savepoint_begin(txn, &inner) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(outer) == QUIRE_OK);
  EXPECT(has(table, "a") && count_of(table) == 1);
  EXPECT(quire_savepoint_rollback(inner) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_release(inner) == QUIRE_MISUSE);
  EXPECT(quire_drop(txn, quire_text("t")) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(outer) == QUIRE_OK); /* again: it is still open */
  EXPECT(put(table, "d") == QUIRE_OK);
  EXPECT(quire_savepoint_begin(txn, &inner) == QUIRE_OK);
  EXPECT(quire_savepoint_release(outer) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(inner) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_begin(txn, &kept) == QUIRE_OK);
  EXPECT(put(table, "e") == QUIRE_OK);
  EXPECT(quire_commit(txn) == QUIRE_OK); /* keeps what is open */

  txn = begin(db, &table);
  EXPECT(has(table, "a") && has(table, "d") && has(table, "e") && count_of(table) == 3);
  for (int i = 0; i < 50; ++i) {
    EXPECT(quire_savepoint_begin(txn, &inner) == QUIRE_OK);
    EXPECT(put(table, "f") == QUIRE_OK);
  }
  quire_rollback(txn);
  txn = begin(db, &table);
  EXPECT(count_of(table) == 3);
  quire_rollback(txn);
  EXPECT(quire_savepoint_begin(NULL, &inner) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_rollback(NULL) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_release(NULL) == QUIRE_MISUSE);
  close_sound(db);
}

static void looks_and_changes_at_once(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_txn* txn = begin(db, &table);
  const quire_bytes key = quire_text("key");
  const quire_bytes one = quire_text("1");
  const quire_bytes two = quire_text("2");
  quire_bytes value;
  quire_bytes other;
  EXPECT(quire_replace(table, key, one) == QUIRE_NOT_FOUND);
  EXPECT(quire_insert_or_get(table, key, one, &value) == QUIRE_OK && is_text(value, "1"));
  EXPECT(quire_insert_or_get(table, key, two, &value) == QUIRE_EXISTS && is_text(value, "1"));
  EXPECT(quire_insert_or_get(table, key, two, NULL) == QUIRE_MISUSE);
  EXPECT(quire_replace(table, key, two) == QUIRE_OK);
  EXPECT(quire_put(table, one, one) == QUIRE_OK);
  EXPECT(quire_take(table, key, NULL) == QUIRE_MISUSE);
  EXPECT(quire_take(table, key, &value) == QUIRE_OK && is_text(value, "2"));
  EXPECT(quire_take(table, key, &other) == QUIRE_NOT_FOUND);
  EXPECT(put(table, "x") == QUIRE_OK && is_text(value, "2")); /* a copy */
  EXPECT(quire_take(table, quire_text("x"), &value) == QUIRE_OK && is_text(value, "x"));

  EXPECT(quire_compare_and_swap(table, key, &one, &two) == QUIRE_DIFFERENT);
  EXPECT(quire_compare_and_swap(table, key, NULL, NULL) == QUIRE_OK);
  EXPECT(quire_compare_and_swap(table, key, NULL, &one) == QUIRE_OK);
  EXPECT(quire_compare_and_swap(table, key, NULL, &two) == QUIRE_DIFFERENT);
  EXPECT(quire_compare_and_swap(table, key, &one, &two) == QUIRE_OK);
  EXPECT(quire_get(table, key, &value) == QUIRE_OK && is_text(value, "2"));
  EXPECT(quire_compare_and_swap(table, key, &two, NULL) == QUIRE_OK);
  EXPECT(quire_get(table, key, &value) == QUIRE_NOT_FOUND);

  int64_t sum = 0;
  EXPECT(quire_add(table, key, -5, &sum) == QUIRE_OK && sum == -5);
  EXPECT(quire_add(table, key, 7, NULL) == QUIRE_OK);
  EXPECT(quire_add(table, key, INT64_MAX, &sum) == QUIRE_MISUSE && sum == -5);
  EXPECT(quire_add(table, one, 1, &sum) == QUIRE_MISUSE);
  EXPECT(quire_add(table, key, 0, &sum) == QUIRE_OK && sum == 2);
  EXPECT(quire_commit(txn) == QUIRE_OK);

  quire_snapshot* now = NULL;
  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  EXPECT(quire_snapshot_table(now, quire_text("t"), &table) == QUIRE_OK);
  EXPECT(quire_replace(table, key, one) == QUIRE_READ_ONLY);
  EXPECT(quire_insert_or_get(table, key, one, &value) == QUIRE_READ_ONLY);
  EXPECT(quire_take(table, key, &value) == QUIRE_READ_ONLY);
  EXPECT(quire_compare_and_swap(table, key, NULL, NULL) == QUIRE_READ_ONLY);
  EXPECT(quire_add(table, key, 1, NULL) == QUIRE_READ_ONLY);
  EXPECT(quire_erase_range(table, NULL, NULL, NULL) == QUIRE_READ_ONLY);
  EXPECT(quire_erase_prefix(table, key, NULL) == QUIRE_READ_ONLY);
  quire_snapshot_end(now);
  close_sound(db);
}

static void erases_and_estimates_ranges(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_txn* txn = begin(db, &table);
  const quire_bytes first = quire_text("0100");
  const quire_bytes limit = quire_text("0900");
  const quire_bytes nowhere = {NULL, 1};
  char text[16];
  uint64_t count = 0;
  for (int i = 0; i < 1000; ++i) {
    snprintf(text, sizeof text, "%04d", i);
    EXPECT(put(table, text) == QUIRE_OK);
  }
  EXPECT(quire_estimate(table, NULL, NULL, &count) == QUIRE_OK && count == 1000);
  EXPECT(quire_estimate(table, &first, &limit, &count) == QUIRE_OK);
  EXPECT(count > 600 && count < 1000);
  EXPECT(quire_estimate(table, &limit, NULL, &count) == QUIRE_OK && count > 20 && count < 250);
  EXPECT(quire_estimate(table, NULL, &first, &count) == QUIRE_OK && count > 20 && count < 250);
  EXPECT(quire_estimate(table, &limit, &first, &count) == QUIRE_OK && count == 0);
  EXPECT(quire_estimate(table, NULL, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_estimate(table, &nowhere, NULL, &count) == QUIRE_MISUSE);

  EXPECT(quire_erase_range(table, &limit, &first, &count) == QUIRE_OK && count == 0);
  EXPECT(quire_erase_range(table, &first, &limit, &count) == QUIRE_OK && count == 800);
  EXPECT(has(table, "0099") && !has(table, "0100") && !has(table, "0899") && has(table, "0900"));
  EXPECT(quire_erase_prefix(table, quire_text("095"), &count) == QUIRE_OK && count == 10);
  EXPECT(quire_erase_range(table, NULL, &first, NULL) == QUIRE_OK && count_of(table) == 90);
  EXPECT(quire_erase_range(table, &limit, NULL, &count) == QUIRE_OK && count == 90);
  EXPECT(put(table, "a") == QUIRE_OK);
  EXPECT(quire_erase_range(table, NULL, NULL, &count) == QUIRE_OK && count == 1);
  EXPECT(quire_erase_range(table, NULL, NULL, &count) == QUIRE_OK && count == 0);
  EXPECT(quire_erase_range(table, NULL, &nowhere, &count) == QUIRE_MISUSE);
  EXPECT(quire_erase_prefix(table, nowhere, &count) == QUIRE_MISUSE);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  close_sound(db);
}

static void expect_stale(quire_cursor* cursor) {
  const quire_bytes a = quire_text("a");
  EXPECT(quire_cursor_first(cursor, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(strstr(quire_message(), "has changed") != NULL);
  EXPECT(quire_cursor_last(cursor, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_cursor_previous(cursor, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_cursor_next_key(cursor, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_cursor_seek(cursor, a, NULL, NULL) == QUIRE_MISUSE);
  quire_cursor_close(cursor);
}

/* Beyond an end a cursor that is not valid any more must not say that there is nothing. */
static void refuses_stale_cursors_wherever_they_stand(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  quire_savepoint* savepoint = NULL;
  quire_cursor* cursors[8];
  size_t count = 0;
  const quire_bytes a = quire_text("a");
  quire_txn* txn = begin(db, &table);
  EXPECT(quire_txn_multimap(txn, quire_text("m"), &multimap) == QUIRE_OK);
  EXPECT(quire_multimap_insert(multimap, a, a) == QUIRE_OK);
  EXPECT(quire_cursor_range(table, NULL, NULL, &cursors[count++]) == QUIRE_OK); /* of nothing */
  EXPECT(quire_cursor_next(cursors[0], NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(put(table, "a") == QUIRE_OK);
  expect_stale(cursors[--count]);

  for (; count < 4; ++count) {
    EXPECT(quire_cursor_range(table, NULL, &a, &cursors[count]) == QUIRE_OK);
    quire_cursor_close(cursors[count]);
    EXPECT(quire_cursor_range(table, &a, NULL, &cursors[count]) == QUIRE_OK);
  }
  EXPECT(quire_cursor_next(cursors[1], NULL, NULL) == QUIRE_OK);
  EXPECT(quire_cursor_next(cursors[2], NULL, NULL) == QUIRE_OK);
  EXPECT(quire_cursor_next(cursors[2], NULL, NULL) == QUIRE_NOT_FOUND);     /* behind */
  EXPECT(quire_cursor_previous(cursors[3], NULL, NULL) == QUIRE_NOT_FOUND); /* before */
  EXPECT(quire_cursor_pairs(multimap, NULL, NULL, &cursors[count++]) == QUIRE_OK);
  EXPECT(quire_cursor_pairs(multimap, NULL, &a, &cursors[count++]) == QUIRE_OK);
  EXPECT(quire_cursor_values(multimap, a, NULL, NULL, &cursors[count++]) == QUIRE_OK);
  EXPECT(quire_cursor_last(cursors[6], NULL, NULL) == QUIRE_OK);
  EXPECT(quire_cursor_next(cursors[6], NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(put(table, "b") == QUIRE_OK);
  EXPECT(quire_cursor_first(cursors[4], NULL, NULL) == QUIRE_OK); /* of another table */
  EXPECT(quire_multimap_insert(multimap, a, quire_text("b")) == QUIRE_OK);
  while (count > 0) expect_stale(cursors[--count]);

  EXPECT(quire_savepoint_begin(txn, &savepoint) == QUIRE_OK);
  EXPECT(put(table, "c") == QUIRE_OK);
  EXPECT(quire_cursor_prefix(table, quire_text("nothing"), &cursors[0]) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(savepoint) == QUIRE_OK);
  expect_stale(cursors[0]);
  EXPECT(quire_cursor_range(table, &a, &a, &cursors[0]) == QUIRE_OK);
  EXPECT(quire_drop(txn, quire_text("t")) == QUIRE_OK);
  expect_stale(cursors[0]);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  close_sound(db);
}

static struct {
  quire_txn* txn;
  quire_table* table;
  quire_savepoint* savepoint;
  quire_cursor* cursor;
} shared;

static void* use_from_another_thread(void* nothing) {
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  quire_savepoint* savepoint = NULL;
  quire_bytes value;
  EXPECT(quire_message()[0] == '\0');
  EXPECT(quire_commit(shared.txn) == QUIRE_MISUSE);
  EXPECT(strstr(quire_message(), "stays on the thread that began it") != NULL);
  EXPECT(quire_commit_relaxed(shared.txn) == QUIRE_MISUSE);
  quire_rollback(shared.txn); /* does nothing */
  EXPECT(quire_txn_table(shared.txn, quire_text("t"), &table) == QUIRE_MISUSE && table == NULL);
  EXPECT(quire_txn_multimap(shared.txn, quire_text("m"), &multimap) == QUIRE_MISUSE);
  EXPECT(quire_drop(shared.txn, quire_text("t")) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_begin(shared.txn, &savepoint) == QUIRE_MISUSE && savepoint == NULL);
  EXPECT(quire_savepoint_rollback(shared.savepoint) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_release(shared.savepoint) == QUIRE_MISUSE);
  EXPECT(put(shared.table, "b") == QUIRE_MISUSE);
  EXPECT(quire_get(shared.table, quire_text("a"), &value) == QUIRE_MISUSE);
  EXPECT(quire_cursor_next(shared.cursor, NULL, NULL) == QUIRE_MISUSE);
  return nothing;
}

/* Once it ended the process: the writer lock is its thread's. */
static void keeps_transactions_on_their_thread(void) {
  quire_db* db = open_memory();
  pthread_t thread;
  shared.txn = begin(db, &shared.table);
  EXPECT(put(shared.table, "a") == QUIRE_OK);
  EXPECT(quire_savepoint_begin(shared.txn, &shared.savepoint) == QUIRE_OK);
  EXPECT(quire_cursor_range(shared.table, NULL, NULL, &shared.cursor) == QUIRE_OK);
  EXPECT(pthread_create(&thread, NULL, use_from_another_thread, NULL) == 0);
  EXPECT(pthread_join(thread, NULL) == 0);
  EXPECT(quire_cursor_next(shared.cursor, NULL, NULL) == QUIRE_OK);
  quire_cursor_close(shared.cursor);
  EXPECT(put(shared.table, "c") == QUIRE_OK);
  EXPECT(quire_savepoint_release(shared.savepoint) == QUIRE_OK);
  EXPECT(quire_commit(shared.txn) == QUIRE_OK);

  quire_table* table = NULL;
  quire_txn* txn = begin(db, &table);
  EXPECT(has(table, "a") && has(table, "c") && count_of(table) == 2);
  quire_rollback(txn);
  close_sound(db);
}

int run_changes_tests(void) {
  int failed = 0;
  failed += run("GoesBackToSavepoints", goes_back_to_savepoints);
  failed += run("LooksAndChangesAtOnce", looks_and_changes_at_once);
  failed += run("ErasesAndEstimatesRanges", erases_and_estimates_ranges);
  failed += run("RefusesStaleCursorsWhereverTheyStand", refuses_stale_cursors_wherever_they_stand);
  failed += run("KeepsTransactionsOnTheirThread", keeps_transactions_on_their_thread);
  return failed;
}
