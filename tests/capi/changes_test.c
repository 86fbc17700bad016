/* Changes within transactions: savepoints, ranges, calls that look and change, and who may not. */
#include <quire/c.h>

#include <pthread.h>
#include <stdio.h>

#include "capi_test.h"

static void goes_back_to_savepoints(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_txn* txn = begin_in_t(db, &table);
  quire_savepoint* outer = NULL;
  quire_savepoint* inner = NULL;
  quire_savepoint* kept = NULL;
  EXPECT(put_text(table, "a") == QUIRE_OK);
  EXPECT(quire_savepoint_begin(txn, &outer) == QUIRE_OK);
  EXPECT(put_text(table, "b") == QUIRE_OK);
  EXPECT(quire_savepoint_begin(txn, &inner) == QUIRE_OK);
  EXPECT(quire_clear(table) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(inner) == QUIRE_OK);
  EXPECT(has_text(table, "a") && has_text(table, "b"));
  EXPECT(put_text(table, "c") == QUIRE_OK);
  EXPECT(quire_savepoint_release(inner) == QUIRE_OK);
  EXPECT(has_text(table, "c"));
  EXPECT(quire_savepoint_begin(txn, &inner) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(outer) == QUIRE_OK);
  EXPECT(has_text(table, "a") && count_of(table) == 1);
  EXPECT(quire_savepoint_rollback(inner) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_release(inner) == QUIRE_MISUSE);
  EXPECT(quire_drop(txn, quire_text("t")) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(outer) == QUIRE_OK); /* again: it is still open */
  EXPECT(put_text(table, "d") == QUIRE_OK);
  EXPECT(quire_savepoint_begin(txn, &inner) == QUIRE_OK);
  EXPECT(quire_savepoint_release(outer) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(inner) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_begin(txn, &kept) == QUIRE_OK);
  EXPECT(put_text(table, "e") == QUIRE_OK);
  EXPECT(quire_commit(txn) == QUIRE_OK); /* keeps what is open */

  txn = begin_in_t(db, &table);
  EXPECT(has_text(table, "a") && has_text(table, "d") && has_text(table, "e") &&
         count_of(table) == 3);
  for (int i = 0; i < 50; ++i) {
    EXPECT(quire_savepoint_begin(txn, &inner) == QUIRE_OK);
    EXPECT(put_text(table, "f") == QUIRE_OK);
  }
  quire_rollback(txn);
  txn = begin_in_t(db, &table);
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
  quire_txn* txn = begin_in_t(db, &table);
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
  EXPECT(put_text(table, "x") == QUIRE_OK && is_text(value, "2")); /* a copy */
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
  quire_txn* txn = begin_in_t(db, &table);
  const quire_bytes first = quire_text("0100");
  const quire_bytes limit = quire_text("0900");
  const quire_bytes nowhere = {NULL, 1};
  uint64_t count = 0;
  put_numbers(table, 1000);
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
  EXPECT(has_text(table, "0099") && !has_text(table, "0100") && !has_text(table, "0899") &&
         has_text(table, "0900"));
  EXPECT(quire_erase_prefix(table, quire_text("095"), &count) == QUIRE_OK && count == 10);
  EXPECT(quire_erase_range(table, NULL, &first, NULL) == QUIRE_OK && count_of(table) == 90);
  EXPECT(quire_erase_range(table, &limit, NULL, &count) == QUIRE_OK && count == 90);
  EXPECT(put_text(table, "a") == QUIRE_OK);
  EXPECT(quire_erase_range(table, NULL, NULL, &count) == QUIRE_OK && count == 1);
  EXPECT(quire_erase_range(table, NULL, NULL, &count) == QUIRE_OK && count == 0);
  EXPECT(quire_erase_range(table, NULL, &nowhere, &count) == QUIRE_MISUSE);
  EXPECT(quire_erase_prefix(table, nowhere, &count) == QUIRE_MISUSE);
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
  EXPECT(says("stays on the thread that began it"));
  EXPECT(quire_commit_relaxed(shared.txn) == QUIRE_MISUSE);
  quire_rollback(shared.txn); /* does nothing */
  EXPECT(quire_txn_table(shared.txn, quire_text("t"), &table) == QUIRE_MISUSE && table == NULL);
  EXPECT(quire_txn_multimap(shared.txn, quire_text("m"), &multimap) == QUIRE_MISUSE);
  EXPECT(quire_drop(shared.txn, quire_text("t")) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_begin(shared.txn, &savepoint) == QUIRE_MISUSE && savepoint == NULL);
  EXPECT(quire_savepoint_rollback(shared.savepoint) == QUIRE_MISUSE);
  EXPECT(quire_savepoint_release(shared.savepoint) == QUIRE_MISUSE);
  EXPECT(put_text(shared.table, "b") == QUIRE_MISUSE);
  EXPECT(quire_get(shared.table, quire_text("a"), &value) == QUIRE_MISUSE);
  EXPECT(quire_cursor_next(shared.cursor, NULL, NULL) == QUIRE_MISUSE);
  return nothing;
}

/* Once it ended the process: the writer lock is its thread's. */
static void keeps_transactions_on_their_thread(void) {
  quire_db* db = open_memory();
  pthread_t thread;
  shared.txn = begin_in_t(db, &shared.table);
  EXPECT(put_text(shared.table, "a") == QUIRE_OK);
  EXPECT(quire_savepoint_begin(shared.txn, &shared.savepoint) == QUIRE_OK);
  EXPECT(quire_cursor_range(shared.table, NULL, NULL, &shared.cursor) == QUIRE_OK);
  EXPECT(pthread_create(&thread, NULL, use_from_another_thread, NULL) == 0);
  EXPECT(pthread_join(thread, NULL) == 0);
  EXPECT(quire_cursor_next(shared.cursor, NULL, NULL) == QUIRE_OK);
  quire_cursor_close(shared.cursor);
  EXPECT(put_text(shared.table, "c") == QUIRE_OK);
  EXPECT(quire_savepoint_release(shared.savepoint) == QUIRE_OK);
  EXPECT(quire_commit(shared.txn) == QUIRE_OK);

  quire_table* table = NULL;
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(has_text(table, "a") && has_text(table, "c") && count_of(table) == 2);
  quire_rollback(txn);
  close_sound(db);
}

int run_changes_tests(void) {
  int failed = 0;
  failed += run("GoesBackToSavepoints", goes_back_to_savepoints);
  failed += run("LooksAndChangesAtOnce", looks_and_changes_at_once);
  failed += run("ErasesAndEstimatesRanges", erases_and_estimates_ranges);
  failed += run("KeepsTransactionsOnTheirThread", keeps_transactions_on_their_thread);
  return failed;
}
