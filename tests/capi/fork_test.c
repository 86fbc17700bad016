/* What fork leaves in the child, and memory that is shared with it. */
#include <quire/c.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capi_test.h"

enum { kSecondsMax = 60 };

/* Runs it in a child, which is ended when it takes too long; how it went. */
static pid_t start_in_child(void (*test)(void)) {
  const int before = failures;
  fflush(NULL);
  const pid_t child = fork();
  if (child != 0) return child;
  alarm(kSecondsMax);
  test();
  fflush(NULL);
  _exit(failures == before ? 0 : 1);
}

static int has_passed(pid_t child) {
  int status = 1;
  return waitpid(child, &status, 0) == child && status == 0;
}

static struct {
  quire_db* db;
  quire_snapshot* now;
  quire_table* table;
  quire_multimap* multimap;
  quire_cursor* cursor;
  quire_value_reader* reader;
  quire_txn* txn;
  quire_table* changing;
  quire_savepoint* savepoint;
  quire_value_writer* writer;
} mine;

static void refuse_inherited_database(void) {
  quire_txn* txn = NULL;
  quire_snapshot* now = NULL;
  quire_statistics statistics;
  uint64_t number = 0;
  size_t count = 0;
  int descriptors[2];
  EXPECT(quire_begin(mine.db, &txn) == QUIRE_FORKED);
  EXPECT(quire_begin_within(mine.db, 0, &txn) == QUIRE_FORKED);
  EXPECT(quire_snapshot_begin(mine.db, &now) == QUIRE_FORKED);
  EXPECT(quire_sync(mine.db) == QUIRE_FORKED);
  EXPECT(quire_checkpoint(mine.db) == QUIRE_FORKED);
  EXPECT(quire_wait_for_commit(mine.db, 0, 0, &number) == QUIRE_FORKED);
  EXPECT(quire_stat(mine.db, &statistics) == QUIRE_FORKED);
  EXPECT(quire_readers(mine.db, NULL, 0, &count) == QUIRE_FORKED);
  EXPECT(quire_check(mine.db, NULL) == QUIRE_FORKED);
  EXPECT(quire_compact(mine.db, 0, NULL) == QUIRE_FORKED);
  EXPECT(quire_descriptors(mine.db, &descriptors[0], &descriptors[1]) == QUIRE_FORKED);
}

static void refuse_inherited_snapshot(void) {
  const quire_bytes a = quire_text("a");
  const char* const path = path_of("of a child");
  const quire_bytes* names = NULL;
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  quire_cursor* cursor = NULL;
  quire_value_reader* reader = NULL;
  quire_location location;
  quire_bytes value;
  size_t count = 0;
  EXPECT(quire_snapshot_table(mine.now, a, &table) == QUIRE_FORKED);
  EXPECT(quire_snapshot_multimap(mine.now, a, &multimap) == QUIRE_FORKED);
  EXPECT(quire_is_multimap(mine.now, a) == QUIRE_FORKED);
  EXPECT(quire_tables(mine.now, &names, &count) == QUIRE_FORKED);
  EXPECT(quire_copy(mine.now, path) == QUIRE_FORKED);
  EXPECT(quire_backup(mine.now, path, NULL, NULL) == QUIRE_FORKED);
  EXPECT(quire_backup_since(mine.now, 1, path, NULL, NULL) == QUIRE_FORKED);
  EXPECT(quire_locate(mine.now, a, &location) == QUIRE_FORKED);
  EXPECT(quire_get(mine.table, a, &value) == QUIRE_FORKED);
  EXPECT(quire_get_many(mine.table, &a, 1, &value) == QUIRE_FORKED);
  EXPECT(quire_count(mine.table, &(uint64_t){0}) == QUIRE_FORKED);
  EXPECT(quire_estimate(mine.table, NULL, NULL, &(uint64_t){0}) == QUIRE_FORKED);
  EXPECT(quire_nth(mine.table, 0, NULL, NULL) == QUIRE_FORKED);
  EXPECT(quire_sample(mine.table, 1, NULL, NULL, &count) == QUIRE_FORKED);
  EXPECT(quire_value_reader_begin(mine.table, a, NULL, &reader) == QUIRE_FORKED);
  EXPECT(quire_value_reader_next(mine.reader, 0, &value) == QUIRE_FORKED);
  EXPECT(quire_cursor_range(mine.table, NULL, NULL, &cursor) == QUIRE_FORKED);
  EXPECT(quire_cursor_next(mine.cursor, NULL, NULL) == QUIRE_FORKED);
  EXPECT(quire_multimap_count(mine.multimap, a, &(uint64_t){0}) == QUIRE_FORKED);
  EXPECT(quire_multimap_size(mine.multimap, NULL, NULL) == QUIRE_FORKED);
  EXPECT(quire_multimap_contains(mine.multimap, a, a) == QUIRE_FORKED);
  EXPECT(quire_multimap_sample(mine.multimap, 1, NULL, &count) == QUIRE_FORKED);
  EXPECT(quire_cursor_pairs(mine.multimap, NULL, NULL, &cursor) == QUIRE_FORKED);
}

static void refuse_inherited_transaction(void) {
  const quire_bytes a = quire_text("a");
  const quire_bytes* names = NULL;
  quire_table* table = NULL;
  quire_savepoint* savepoint = NULL;
  quire_bytes value;
  size_t count = 0;
  void* room = NULL;
  EXPECT(quire_txn_table(mine.txn, a, &table) == QUIRE_FORKED);
  EXPECT(quire_txn_tables(mine.txn, &names, &count) == QUIRE_FORKED);
  EXPECT(quire_drop(mine.txn, a) == QUIRE_FORKED);
  EXPECT(quire_get(mine.changing, a, &value) == QUIRE_FORKED);
  EXPECT(quire_put(mine.changing, a, a) == QUIRE_FORKED);
  EXPECT(quire_erase_range(mine.changing, NULL, NULL, NULL) == QUIRE_FORKED);
  EXPECT(quire_reserve(mine.changing, a, 10, &room) == QUIRE_FORKED);
  EXPECT(quire_value_writer_write(mine.writer, a) == QUIRE_FORKED);
  EXPECT(quire_value_writer_finish(mine.writer) == QUIRE_FORKED);
  EXPECT(quire_savepoint_begin(mine.txn, &savepoint) == QUIRE_FORKED);
  EXPECT(quire_savepoint_rollback(mine.savepoint) == QUIRE_FORKED);
  EXPECT(quire_savepoint_release(mine.savepoint) == QUIRE_FORKED);
  EXPECT(quire_commit(mine.txn) == QUIRE_FORKED);
}

static void use_what_was_inherited(void) {
  refuse_inherited_database();
  refuse_inherited_snapshot();
  refuse_inherited_transaction();
}

static void refuses_what_was_inherited(void) {
  const quire_bytes a = quire_text("a");
  mine.db = open_memory();
  mine.txn = begin_in_t(mine.db, &mine.table);
  EXPECT(put_text(mine.table, "a") == QUIRE_OK);
  EXPECT(quire_txn_multimap(mine.txn, quire_text("m"), &mine.multimap) == QUIRE_OK);
  EXPECT(quire_multimap_insert(mine.multimap, a, a) == QUIRE_OK);
  EXPECT(quire_commit(mine.txn) == QUIRE_OK);
  mine.now = look_at_t(mine.db, &mine.table);
  EXPECT(quire_snapshot_multimap(mine.now, quire_text("m"), &mine.multimap) == QUIRE_OK);
  EXPECT(quire_cursor_range(mine.table, NULL, NULL, &mine.cursor) == QUIRE_OK);
  EXPECT(quire_value_reader_begin(mine.table, a, NULL, &mine.reader) == QUIRE_OK);
  mine.txn = begin_in_t(mine.db, &mine.changing);
  EXPECT(quire_savepoint_begin(mine.txn, &mine.savepoint) == QUIRE_OK);
  EXPECT(quire_value_writer_begin(mine.changing, a, 1, &mine.writer) == QUIRE_OK);

  EXPECT(has_passed(start_in_child(use_what_was_inherited)));
  EXPECT(has_text(mine.table, "a"));
  EXPECT(quire_value_writer_write(mine.writer, a) == QUIRE_OK);
  EXPECT(quire_value_writer_finish(mine.writer) == QUIRE_OK);
  EXPECT(quire_savepoint_release(mine.savepoint) == QUIRE_OK);
  EXPECT(quire_commit(mine.txn) == QUIRE_OK);
  quire_value_writer_close(mine.writer);
  quire_value_reader_close(mine.reader);
  quire_cursor_close(mine.cursor);
  quire_snapshot_end(mine.now);
  close_sound(mine.db);
}

static atomic_int is_over;

static void ask_for_tables(int code) {
  const quire_bytes* names = NULL;
  quire_table* table = NULL;
  quire_multimap* multimap = NULL;
  size_t count = 0;
  EXPECT(quire_snapshot_table(mine.now, quire_text("t"), &table) == code);
  EXPECT(quire_snapshot_multimap(mine.now, quire_text("m"), &multimap) == code);
  EXPECT(quire_tables(mine.now, &names, &count) == code);
}

static void ask_in_child(void) { ask_for_tables(QUIRE_FORKED); }

static void* ask_again_and_again(void* nothing) {
  while (!atomic_load(&is_over)) ask_for_tables(QUIRE_OK);
  return nothing;
}

/* A thread that is not there in the child holds the snapshot's lock now and then. */
static void refuses_amid_another_threads_call(void) {
  pthread_t thread;
  quire_db* db = open_memory();
  mine.now = look(db);
  atomic_store(&is_over, 0);
  EXPECT(pthread_create(&thread, NULL, ask_again_and_again, NULL) == 0);
  int passed = 1;
  for (int i = 0; i < 50 && passed; ++i) passed = has_passed(start_in_child(ask_in_child));
  EXPECT(passed);
  atomic_store(&is_over, 1);
  EXPECT(pthread_join(thread, NULL) == 0);
  quire_snapshot_end(mine.now);
  close_sound(db);
}

static int data = -1;
static int region = -1;

static void commit_in_child(void) {
  quire_db* own = NULL;
  quire_table* table = NULL;
  EXPECT(quire_open_descriptors(data, region, NULL, &own) == QUIRE_OK);
  quire_txn* txn = begin_in_t(own, &table);
  EXPECT(put_text(table, "child") == QUIRE_OK);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  quire_close(own);
}

static void shares_memory_with_a_child(void) {
  const int64_t timeout = INT64_C(1000000000) * kSecondsMax;
  quire_db* db = open_memory();
  quire_table* table = NULL;
  uint64_t newest = 0;
  EXPECT(quire_descriptors(db, &data, &region) == QUIRE_OK && data >= 0 && region >= 0);
  const pid_t child = start_in_child(commit_in_child);
  EXPECT(quire_wait_for_commit(db, 1, timeout, &newest) == QUIRE_OK && newest > 1);
  EXPECT(has_passed(child));
  quire_snapshot* now = look_at_t(db, &table);
  EXPECT(has_text(table, "child"));
  quire_snapshot_end(now);
  close_sound(db);
  EXPECT(quire_open(path_of("on disk"), NULL, &db) == QUIRE_OK);
  EXPECT(quire_descriptors(db, &data, &region) == QUIRE_NOT_FOUND);
  quire_close(db);
}

int run_fork_tests(void) {
  int failed = 0;
  failed += run("RefusesWhatWasInherited", refuses_what_was_inherited);
  failed += run("RefusesAmidAnotherThreadsCall", refuses_amid_another_threads_call);
  failed += run("SharesMemoryWithAChild", shares_memory_with_a_child);
  return failed;
}
