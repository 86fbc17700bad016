/* Large values: room to fill, values in pieces, and where in the file they stand. */
#include <quire/c.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capi_test.h"

enum { kLarge = 300000 };

static char pattern[kLarge];
static char zeros[kLarge];

static quire_bytes part(size_t at, size_t size) {
  const quire_bytes bytes = {pattern + at, size};
  return bytes;
}

static int is_same(quire_bytes found, const char* wanted, size_t size) {
  return found.data != NULL && found.size == size && memcmp(found.data, wanted, size) == 0;
}

static int has(const quire_table* table, const char* key, const char* wanted, size_t size) {
  quire_bytes value;
  return quire_get(table, quire_text(key), &value) == QUIRE_OK && is_same(value, wanted, size);
}

static void fills_reserved_room(void) {
  static const size_t sizes[] = {0, 1, 1000, kLarge};
  quire_db* db = open_memory();
  quire_table* table = NULL;
  void* room = NULL;
  const quire_bytes too_large = {zeros, 5000};
  quire_txn* txn = begin_in_t(db, &table);
  for (size_t i = 0; i < 4; ++i) {
    char key[16];
    snprintf(key, sizeof key, "%zu", sizes[i]);
    EXPECT(quire_reserve(table, quire_text(key), sizes[i], &room) == QUIRE_OK && room != NULL);
    memcpy(room, pattern, sizes[i]);
  }
  EXPECT(quire_reserve(table, quire_text("not filled"), kLarge, &room) == QUIRE_OK);
  EXPECT(quire_reserve(table, quire_text("half"), 2000, &room) == QUIRE_OK);
  memcpy(room, pattern, 1000);
  EXPECT(quire_commit(txn) == QUIRE_OK);

  quire_snapshot* now = look_at_t(db, &table);
  EXPECT(has(table, "0", pattern, 0) && has(table, "1", pattern, 1));
  EXPECT(has(table, "1000", pattern, 1000) && has(table, "300000", pattern, kLarge));
  EXPECT(has(table, "not filled", zeros, kLarge));
  quire_bytes value = {NULL, 0};
  EXPECT(quire_get(table, quire_text("half"), &value) == QUIRE_OK && value.size == 2000);
  EXPECT(memcmp(value.data, pattern, 1000) == 0);
  EXPECT(memcmp((const char*)value.data + 1000, zeros, 1000) == 0);
  EXPECT(quire_reserve(table, quire_text("1"), 10, &room) == QUIRE_READ_ONLY);
  quire_snapshot_end(now);

  txn = begin_in_t(db, &table);
  EXPECT(quire_reserve(NULL, quire_text("k"), 10, &room) == QUIRE_MISUSE);
  EXPECT(quire_reserve(table, quire_text("k"), 10, NULL) == QUIRE_MISUSE);
  EXPECT(quire_reserve(table, too_large, 10, &room) == QUIRE_TOO_LARGE);
  EXPECT(quire_reserve(table, quire_text("k"), UINT64_MAX, &room) == QUIRE_TOO_LARGE);
  EXPECT(!has(table, "k", zeros, 10));
  EXPECT(quire_reserve(table, quire_text("1"), kLarge, &room) == QUIRE_OK);
  quire_rollback(txn);
  now = look_at_t(db, &table);
  EXPECT(has(table, "1", pattern, 1));
  quire_snapshot_end(now);
  close_sound(db);
}

static void writes_values_in_pieces(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_value_writer* large = NULL;
  quire_value_writer* small = NULL;
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(quire_value_writer_begin(table, quire_text("large"), kLarge, &large) == QUIRE_OK);
  EXPECT(quire_value_writer_begin(table, quire_text("small"), 5, &small) == QUIRE_OK);
  for (size_t at = 0; at < kLarge - 1000; at += 1000) {
    EXPECT(quire_value_writer_write(large, part(at, 1000)) == QUIRE_OK);
    EXPECT(quire_put(table, part(at, 20), part(at, 20)) == QUIRE_OK);
  }
  EXPECT(quire_value_writer_finish(large) == QUIRE_MISUSE);
  EXPECT(says("299000"));
  EXPECT(quire_value_writer_write(large, part(0, 1001)) == QUIRE_MISUSE);
  EXPECT(!has(table, "large", pattern, kLarge));
  EXPECT(quire_value_writer_write(large, part(kLarge - 1000, 1000)) == QUIRE_OK);
  EXPECT(quire_value_writer_finish(large) == QUIRE_OK && has(table, "large", pattern, kLarge));
  EXPECT(quire_value_writer_finish(large) == QUIRE_MISUSE);
  EXPECT(quire_value_writer_write(large, part(0, 0)) == QUIRE_MISUSE);
  EXPECT(quire_value_writer_write(small, part(0, 5)) == QUIRE_OK);
  EXPECT(quire_value_writer_finish(small) == QUIRE_OK);
  quire_value_writer_close(small);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  EXPECT(quire_value_writer_finish(large) == QUIRE_MISUSE);
  quire_value_writer_close(large);

  quire_snapshot* now = look_at_t(db, &table);
  EXPECT(has(table, "large", pattern, kLarge) && has(table, "small", pattern, 5));
  EXPECT(quire_value_writer_begin(table, quire_text("k"), 1, &large) == QUIRE_READ_ONLY);
  quire_snapshot_end(now);
  close_sound(db);
}

static void expect_of_no_use(quire_value_writer* writer, const char* text) {
  EXPECT(quire_value_writer_write(writer, part(0, 1)) == QUIRE_MISUSE);
  EXPECT(says(text));
  EXPECT(quire_value_writer_finish(writer) == QUIRE_MISUSE);
  EXPECT(says(text));
  quire_value_writer_close(writer);
}

static quire_value_writer* begin_one(quire_table* table, const char* key, size_t size) {
  quire_value_writer* writer = NULL;
  EXPECT(quire_value_writer_begin(table, quire_text(key), size, &writer) == QUIRE_OK);
  EXPECT(quire_value_writer_write(writer, part(0, size / 2)) == QUIRE_OK);
  return writer;
}

static void gives_up_values_that_are_not_finished(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_savepoint* savepoint = NULL;
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(quire_put(table, quire_text("key"), quire_text("before")) == QUIRE_OK);
  quire_value_writer* before = begin_one(table, "key", kLarge);
  EXPECT(quire_savepoint_begin(txn, &savepoint) == QUIRE_OK);
  quire_value_writer* since = begin_one(table, "key", kLarge);
  EXPECT(quire_savepoint_rollback(savepoint) == QUIRE_OK);
  expect_of_no_use(before, "given up");
  expect_of_no_use(since, "given up");
  quire_value_writer* committed = begin_one(table, "key", kLarge);
  quire_value_writer_close(begin_one(table, "key", 100)); /* amid its value */
  EXPECT(quire_value_writer_begin(table, quire_text("key"), 1, NULL) == QUIRE_MISUSE);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  expect_of_no_use(committed, "has ended");

  txn = begin_in_t(db, &table);
  quire_value_writer* rolled_back = begin_one(table, "key", kLarge);
  quire_rollback(txn);
  quire_snapshot* now = look_at_t(db, &table);
  EXPECT(has(table, "key", "before", 6));
  quire_snapshot_end(now);
  close_sound(db); /* nobody has the file open any more */
  expect_of_no_use(rolled_back, "has ended");

  const quire_bytes none = {NULL, 0};
  EXPECT(quire_value_writer_begin(NULL, none, 1, &since) == QUIRE_MISUSE);
  EXPECT(quire_value_writer_write(NULL, none) == QUIRE_MISUSE);
  EXPECT(quire_value_writer_finish(NULL) == QUIRE_MISUSE);
  quire_value_writer_close(NULL);
}

static void refuses_tables_that_have_become_multimaps(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  quire_value_writer* none = NULL;
  void* room = NULL;
  quire_txn* txn = begin_in_t(db, &table);
  quire_value_writer* writer = begin_one(table, "key", 2);
  EXPECT(quire_txn_multimap(txn, quire_text("t"), &multimap) == QUIRE_OK);
  EXPECT(quire_multimap_insert(multimap, part(0, 1), part(0, 1)) == QUIRE_OK);
  EXPECT(quire_value_writer_write(writer, part(1, 1)) == QUIRE_OK);
  EXPECT(quire_value_writer_finish(writer) == QUIRE_MISUSE);
  EXPECT(says("multimap"));
  EXPECT(quire_value_writer_begin(table, part(0, 1), 1, &none) == QUIRE_MISUSE);
  EXPECT(quire_reserve(table, part(0, 1), 1, &room) == QUIRE_MISUSE && room == NULL);
  EXPECT(says("multimap"));
  quire_value_writer_close(writer);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  close_sound(db);
}

static struct {
  quire_value_writer* writer;
  quire_value_reader* reader;
} shared;

static void* use_from_another_thread(void* nothing) {
  quire_bytes piece;
  EXPECT(quire_value_writer_write(shared.writer, part(0, 1)) == QUIRE_MISUSE);
  EXPECT(says("thread"));
  EXPECT(quire_value_writer_finish(shared.writer) == QUIRE_MISUSE);
  EXPECT(quire_value_reader_next(shared.reader, 0, &piece) == QUIRE_MISUSE);
  EXPECT(says("thread"));
  return nothing;
}

static void keeps_writers_on_their_thread(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_bytes piece;
  pthread_t thread;
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(quire_put(table, quire_text("a"), part(0, kLarge)) == QUIRE_OK);
  EXPECT(quire_value_reader_begin(table, quire_text("a"), NULL, &shared.reader) == QUIRE_OK);
  shared.writer = begin_one(table, "key", 2);
  EXPECT(pthread_create(&thread, NULL, use_from_another_thread, NULL) == 0);
  EXPECT(pthread_join(thread, NULL) == 0);
  EXPECT(quire_value_reader_next(shared.reader, 0, &piece) == QUIRE_OK);
  EXPECT(is_same(piece, pattern, kLarge));
  EXPECT(quire_value_writer_write(shared.writer, part(1, 1)) == QUIRE_OK);
  EXPECT(quire_value_writer_finish(shared.writer) == QUIRE_OK && has(table, "key", pattern, 2));
  EXPECT(quire_commit(txn) == QUIRE_OK);
  EXPECT(pthread_create(&thread, NULL, use_from_another_thread, NULL) == 0);
  EXPECT(pthread_join(thread, NULL) == 0);
  quire_value_reader_close(shared.reader);
  quire_value_writer_close(shared.writer);
  close_sound(db);
}

/* From its beginning to its end; how many pieces. */
static int read_all(quire_value_reader* reader, size_t size_max, size_t size) {
  quire_bytes piece;
  size_t at = 0;
  int count = 0;
  int code;
  while ((code = quire_value_reader_next(reader, size_max, &piece)) == QUIRE_OK) {
    EXPECT(piece.size > 0 && is_same(piece, pattern + at, piece.size));
    if (piece.size == 0) break;
    at += piece.size;
    ++count;
  }
  EXPECT(code == QUIRE_NOT_FOUND && at == size);
  EXPECT(quire_value_reader_next(reader, size_max, &piece) == QUIRE_NOT_FOUND);
  return count;
}

static void reads_values_in_pieces(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_value_reader* reader = NULL;
  quire_bytes piece;
  uint64_t size = 7;
  const quire_bytes key = quire_text("large");
  const quire_bytes nowhere = {NULL, 1};
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(quire_put(table, key, part(0, kLarge)) == QUIRE_OK);
  EXPECT(quire_put(table, quire_text("short"), part(0, 10)) == QUIRE_OK);
  EXPECT(quire_put(table, quire_text("empty"), part(0, 0)) == QUIRE_OK);
  EXPECT(quire_value_reader_begin(table, key, &size, &reader) == QUIRE_OK && size == kLarge);
  EXPECT(quire_value_reader_next(reader, 1000, &piece) == QUIRE_OK && piece.size == 1000);
  EXPECT(quire_put(table, quire_text("more"), key) == QUIRE_OK);
  EXPECT(quire_value_reader_next(reader, 1000, &piece) == QUIRE_MISUSE);
  EXPECT(says("has changed"));
  EXPECT(quire_commit(txn) == QUIRE_OK);
  EXPECT(quire_value_reader_next(reader, 1000, &piece) == QUIRE_MISUSE);
  EXPECT(says("has ended"));
  quire_value_reader_close(reader);

  quire_snapshot* now = look_at_t(db, &table);
  EXPECT(quire_value_reader_begin(table, quire_text("none"), &size, &reader) == QUIRE_NOT_FOUND);
  EXPECT(size == kLarge);
  EXPECT(quire_value_reader_begin(table, key, NULL, &reader) == QUIRE_OK);
  EXPECT(read_all(reader, 70000, kLarge) == 5);
  quire_value_reader_close(reader);
  EXPECT(quire_value_reader_begin(table, quire_text("empty"), &size, &reader) == QUIRE_OK);
  EXPECT(size == 0 && read_all(reader, 0, 0) == 0);
  quire_value_reader_close(reader);
  EXPECT(quire_value_reader_begin(table, quire_text("short"), &size, &reader) == QUIRE_OK);
  EXPECT(size == 10 && read_all(reader, 3, 10) == 4);
  EXPECT(quire_value_reader_next(reader, 0, NULL) == QUIRE_MISUSE);
  EXPECT(quire_value_reader_begin(table, key, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_value_reader_begin(table, nowhere, NULL, &reader) == QUIRE_MISUSE);
  EXPECT(quire_value_reader_begin(NULL, key, NULL, &reader) == QUIRE_MISUSE);
  EXPECT(quire_value_reader_next(NULL, 0, &piece) == QUIRE_MISUSE);
  quire_snapshot_end(now);
  close_sound(db);
  EXPECT(quire_value_reader_next(reader, 0, &piece) == QUIRE_MISUSE);
  quire_value_reader_close(reader);
  quire_value_reader_close(NULL);
}

static void expect_at(const quire_snapshot* now, quire_bytes bytes) {
  static char found[kLarge];
  quire_location location;
  EXPECT(quire_locate(now, bytes, &location) == QUIRE_OK && location.size == bytes.size);
  EXPECT(pread(location.descriptor, found, bytes.size, (off_t)location.offset) ==
         (ssize_t)bytes.size);
  EXPECT(is_same(bytes, found, bytes.size));
  EXPECT(write(location.descriptor, found, 1) == -1);
}

static void says_where_values_stand(void) {
  quire_db* db = open_memory();
  quire_table* table = NULL;
  quire_bytes value = {NULL, 0};
  quire_location location;
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(quire_put(table, quire_text("large"), part(0, kLarge)) == QUIRE_OK);
  EXPECT(quire_put(table, quire_text("short"), part(0, 10)) == QUIRE_OK);
  EXPECT(quire_commit(txn) == QUIRE_OK);

  quire_snapshot* now = look_at_t(db, &table);
  EXPECT(quire_get(table, quire_text("short"), &value) == QUIRE_OK);
  expect_at(now, value);
  EXPECT(quire_get(table, quire_text("large"), &value) == QUIRE_OK);
  expect_at(now, value);
  const quire_bytes middle = {(const char*)value.data + 1000, 2000};
  expect_at(now, middle);

  const quire_bytes none = {NULL, 0};
  const quire_bytes nowhere = {NULL, 1};
  const quire_bytes beyond = {value.data, (size_t)1 << 40};
  const quire_bytes around = {value.data, SIZE_MAX}; /* once back to where it begins */
  EXPECT(quire_locate(now, part(0, 10), &location) == QUIRE_MISUSE);
  EXPECT(says("not in the file"));
  EXPECT(quire_locate(now, none, &location) == QUIRE_MISUSE);
  EXPECT(quire_locate(now, nowhere, &location) == QUIRE_MISUSE);
  EXPECT(quire_locate(now, beyond, &location) == QUIRE_MISUSE);
  EXPECT(quire_locate(now, around, &location) == QUIRE_MISUSE);
  EXPECT(quire_locate(now, value, NULL) == QUIRE_MISUSE);
  EXPECT(quire_locate(NULL, value, &location) == QUIRE_MISUSE);
  quire_snapshot_end(now);
  close_sound(db);
}

int run_value_tests(void) {
  int failed = 0;
  for (size_t i = 0; i < kLarge; ++i) pattern[i] = (char)((i * 31 + (i >> 8) * 7 + 1) & 0xff);
  failed += run("FillsReservedRoom", fills_reserved_room);
  failed += run("WritesValuesInPieces", writes_values_in_pieces);
  failed += run("GivesUpValuesThatAreNotFinished", gives_up_values_that_are_not_finished);
  failed += run("RefusesTablesThatHaveBecomeMultimaps", refuses_tables_that_have_become_multimaps);
  failed += run("KeepsWritersOnTheirThread", keeps_writers_on_their_thread);
  failed += run("ReadsValuesInPieces", reads_values_in_pieces);
  failed += run("SaysWhereValuesStand", says_where_values_stand);
  return failed;
}
