/* Cursors that have become stale, and changes where cursors stand. */
#include <quire/c.h>

#include <stdio.h>

#include "capi_test.h"

static void expect_stale(quire_cursor* cursor) {
  const quire_bytes a = quire_text("a");
  EXPECT(quire_cursor_first(cursor, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(says("has changed"));
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
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(quire_txn_multimap(txn, quire_text("m"), &multimap) == QUIRE_OK);
  EXPECT(quire_multimap_insert(multimap, a, a) == QUIRE_OK);
  EXPECT(quire_cursor_range(table, NULL, NULL, &cursors[count++]) == QUIRE_OK); /* of nothing */
  EXPECT(quire_cursor_next(cursors[0], NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(put_text(table, "a") == QUIRE_OK);
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
  EXPECT(put_text(table, "b") == QUIRE_OK);
  EXPECT(quire_cursor_first(cursors[4], NULL, NULL) == QUIRE_OK); /* of another table */
  EXPECT(quire_multimap_insert(multimap, a, quire_text("b")) == QUIRE_OK);
  while (count > 0) expect_stale(cursors[--count]);

  EXPECT(quire_savepoint_begin(txn, &savepoint) == QUIRE_OK);
  EXPECT(put_text(table, "c") == QUIRE_OK);
  EXPECT(quire_cursor_prefix(table, quire_text("nothing"), &cursors[0]) == QUIRE_OK);
  EXPECT(quire_savepoint_rollback(savepoint) == QUIRE_OK);
  expect_stale(cursors[0]);
  EXPECT(quire_cursor_range(table, &a, &a, &cursors[0]) == QUIRE_OK);
  EXPECT(quire_drop(txn, quire_text("t")) == QUIRE_OK);
  expect_stale(cursors[0]);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  close_sound(db);
}

static quire_cursor* cursor_over(quire_table* table, const char* first, const char* limit) {
  quire_cursor* cursor = NULL;
  const quire_bytes from = quire_text(first);
  const quire_bytes to = quire_text(limit);
  EXPECT(quire_cursor_range(table, &from, &to, &cursor) == QUIRE_OK);
  return cursor;
}

static int stands_before(quire_cursor* cursor, const char* wanted) {
  quire_bytes key;
  return quire_cursor_next(cursor, &key, NULL) == QUIRE_OK && is_text(key, wanted);
}

/* Erases those with an even number and marks the others, from end to end, over many pages. */
static void change_while_walking(quire_table* table, int count) {
  quire_cursor* cursor = NULL;
  quire_bytes key;
  EXPECT(quire_cursor_range(table, NULL, NULL, &cursor) == QUIRE_OK);
  for (int i = 0; quire_cursor_next(cursor, &key, NULL) == QUIRE_OK; ++i) {
    if (i % 2 == 0) {
      EXPECT(quire_cursor_erase(cursor) == QUIRE_OK);
    } else {
      EXPECT(quire_cursor_put(cursor, quire_text("marked")) == QUIRE_OK);
    }
  }
  quire_bytes value;
  for (int i = count - 1; i > 0; i -= 2) {
    char text[16];
    snprintf(text, sizeof text, "%04d", i);
    EXPECT(quire_cursor_previous(cursor, &key, &value) == QUIRE_OK);
    EXPECT(is_text(key, text) && is_text(value, "marked"));
  }
  EXPECT(quire_cursor_previous(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);
  EXPECT(count_of(table) == (uint64_t)count / 2);
}

static void changes_where_cursors_stand(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_bytes key;
  quire_cursor* other = NULL;
  quire_txn* txn = begin_in_t(db, &table);
  put_numbers(table, 2000);
  change_while_walking(table, 2000);
  quire_cursor* cursor = cursor_over(table, "0101", "0107"); /* 0101 0103 0105 */
  EXPECT(quire_cursor_range(table, NULL, NULL, &other) == QUIRE_OK);
  EXPECT(quire_cursor_erase(cursor) == QUIRE_MISUSE); /* before the first */
  EXPECT(says("at no entry"));
  EXPECT(quire_cursor_last(cursor, NULL, NULL) == QUIRE_OK);
  EXPECT(quire_cursor_erase(cursor) == QUIRE_OK && !has_text(table, "0105"));
  expect_stale(other);
  EXPECT(quire_cursor_erase(cursor) == QUIRE_MISUSE); /* where it was */
  EXPECT(quire_cursor_put(cursor, quire_text("x")) == QUIRE_MISUSE);
  EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_cursor_put(cursor, quire_text("x")) == QUIRE_MISUSE); /* behind the last */
  EXPECT(quire_cursor_first(cursor, NULL, NULL) == QUIRE_OK);
  EXPECT(quire_cursor_erase(cursor) == QUIRE_OK);
  EXPECT(quire_cursor_previous(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(stands_before(cursor, "0103") && quire_cursor_erase(cursor) == QUIRE_OK);
  EXPECT(quire_cursor_first(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);
  EXPECT(count_of(table) == 997);

  EXPECT(quire_cursor_prefix(table, quire_text("01"), &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_seek(cursor, quire_text("0120"), &key, NULL) == QUIRE_OK);
  EXPECT(quire_cursor_put(cursor, key) == QUIRE_OK && has_text(table, "0121"));
  EXPECT(quire_cursor_erase(cursor) == QUIRE_OK);
  EXPECT(quire_cursor_previous(cursor, &key, NULL) == QUIRE_OK && is_text(key, "0119"));
  EXPECT(stands_before(cursor, "0123"));
  EXPECT(quire_cursor_last(cursor, &key, NULL) == QUIRE_OK && is_text(key, "0199"));
  quire_cursor_close(cursor);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  close_sound(db);
}

static void changes_nothing_by_cursors_of_other_kinds(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  quire_cursor* cursor = NULL;
  quire_snapshot* now = NULL;
  const quire_bytes a = quire_text("a");
  const quire_bytes nowhere = {NULL, 1};
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(put_text(table, "a") == QUIRE_OK);
  EXPECT(quire_txn_multimap(txn, quire_text("m"), &multimap) == QUIRE_OK);
  EXPECT(quire_multimap_insert(multimap, a, a) == QUIRE_OK);
  EXPECT(quire_cursor_pairs(multimap, NULL, NULL, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_OK);
  EXPECT(quire_cursor_erase(cursor) == QUIRE_MISUSE);
  EXPECT(says("multimap"));
  EXPECT(quire_cursor_put(cursor, a) == QUIRE_MISUSE);
  quire_cursor_close(cursor);
  cursor = cursor_over(table, "a", "b");
  EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_OK);
  EXPECT(quire_cursor_put(cursor, nowhere) == QUIRE_MISUSE);
  EXPECT(quire_cursor_put(NULL, a) == QUIRE_MISUSE);
  EXPECT(quire_cursor_erase(NULL) == QUIRE_MISUSE);
  EXPECT(put_text(table, "b") == QUIRE_OK);
  EXPECT(quire_cursor_erase(cursor) == QUIRE_MISUSE);
  EXPECT(quire_cursor_put(cursor, a) == QUIRE_MISUSE);
  expect_stale(cursor);
  EXPECT(quire_commit(txn) == QUIRE_OK);

  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  EXPECT(quire_snapshot_table(now, quire_text("t"), &table) == QUIRE_OK);
  cursor = cursor_over(table, "a", "b");
  EXPECT(stands_before(cursor, "a"));
  EXPECT(quire_cursor_erase(cursor) == QUIRE_READ_ONLY);
  EXPECT(quire_cursor_put(cursor, a) == QUIRE_READ_ONLY);
  EXPECT(count_of(table) == 2 && has_text(table, "a"));
  quire_cursor_close(cursor);
  quire_snapshot_end(now);
  close_sound(db);
}

int run_cursor_tests(void) {
  int failed = 0;
  failed += run("RefusesStaleCursorsWhereverTheyStand", refuses_stale_cursors_wherever_they_stand);
  failed += run("ChangesWhereCursorsStand", changes_where_cursors_stand);
  failed += run("ChangesNothingByCursorsOfOtherKinds", changes_nothing_by_cursors_of_other_kinds);
  return failed;
}
