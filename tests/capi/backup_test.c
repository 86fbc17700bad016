/* Backups page by page, increments of them, and compaction in steps. */
#include <quire/c.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capi_test.h"

enum { kCount = 2000 };

/* Entries "0000" and on, with a value that begins with `mark`. */
static void fill(quire_db* db, int first, int limit, char mark) {
  quire_table* table = NULL;
  char key[16];
  char value[400];
  memset(value, mark, sizeof value - 1);
  value[sizeof value - 1] = '\0';
  quire_txn* txn = begin_in_t(db, &table);
  for (int i = first; i < limit; ++i) {
    snprintf(key, sizeof key, "%04d", i);
    EXPECT(quire_put(table, quire_text(key), quire_text(value)) == QUIRE_OK);
  }
  EXPECT(quire_commit(txn) == QUIRE_OK);
}

/* The file is a sound database of that commit, with so many entries; the first one is marked so. */
static void expect_backup(const char* path, uint64_t txn, uint64_t count, char mark) {
  const quire_options reading = {.read_only = 1, .must_exist = 1};
  quire_db* db = NULL;
  quire_table* table = NULL;
  quire_bytes value = {NULL, 0};
  EXPECT(quire_open(path, &reading, &db) == QUIRE_OK);
  if (db == NULL) return;
  quire_snapshot* now = look_at_t(db, &table);
  EXPECT(quire_snapshot_txn(now) == txn);
  EXPECT(count_of(table) == count);
  EXPECT(quire_get(table, quire_text("0000"), &value) == QUIRE_OK);
  EXPECT(value.size > 0 && *(const char*)value.data == mark);
  quire_snapshot_end(now);
  close_sound(db);
}

static int exists(const char* path) { return access(path, F_OK) == 0; }

static int create(const char* path) { return open(path, O_RDWR | O_CREAT | O_TRUNC, 0600); }

static void backs_up_to_paths_and_descriptors(void) {
  quire_db* db = open_memory();
  quire_backup_report report = {0};
  const char* const path = path_of("whole");
  const char* const other = path_of("other");
  fill(db, 0, kCount, 'a');
  quire_snapshot* now = look(db);
  const uint64_t txn = quire_snapshot_txn(now);
  fill(db, 0, 10, 'b'); /* not part of it */
  EXPECT(quire_backup(now, path, NULL, &report) == QUIRE_OK);
  EXPECT(report.txn == txn && report.page_count > 100 && report.written_bytes > 100 * 4096);
  expect_backup(path, txn, kCount, 'a');
  EXPECT(quire_backup(now, path, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(says(path));
  expect_backup(path, txn, kCount, 'a');

  struct stat found = {0};
  const int descriptor = create(other);
  EXPECT(quire_backup_descriptor(now, descriptor, NULL, &report) == QUIRE_OK);
  EXPECT(fstat(descriptor, &found) == 0 && (uint64_t)found.st_size == report.written_bytes);
  close(descriptor);
  expect_backup(other, txn, kCount, 'a');
  quire_snapshot_end(now);
  close_sound(db);
}

static void applies_increments(void) {
  quire_db* db = open_memory();
  quire_backup_report whole = {0};
  quire_backup_report increment = {0};
  quire_backup_report applied = {0};
  const char* const base = path_of("base");
  const char* const path = path_of("increment");
  fill(db, 0, kCount, 'a');
  quire_snapshot* now = look(db);
  EXPECT(quire_backup(now, base, NULL, &whole) == QUIRE_OK);
  quire_snapshot_end(now);

  fill(db, 0, 10, 'b');
  now = look(db);
  EXPECT(quire_backup_since(now, whole.txn, path, NULL, &increment) == QUIRE_OK);
  EXPECT(increment.txn == quire_snapshot_txn(now) && increment.page_count < 10);
  EXPECT(increment.written_bytes < whole.written_bytes / 5);
  quire_snapshot_end(now);
  EXPECT(quire_apply_increment(base, path, NULL, &applied) == QUIRE_OK);
  EXPECT(applied.txn == increment.txn);
  expect_backup(base, increment.txn, kCount, 'b');

  fill(db, kCount, kCount + 10, 'c');
  fill(db, 0, 1, 'c');
  now = look(db);
  const int descriptor = create(path);
  EXPECT(quire_backup_since_descriptor(now, applied.txn, descriptor, NULL, NULL) == QUIRE_OK);
  EXPECT(lseek(descriptor, 0, SEEK_SET) == 0);
  EXPECT(quire_apply_increment_descriptor(base, descriptor, NULL, &applied) == QUIRE_OK);
  close(descriptor);
  EXPECT(applied.txn == quire_snapshot_txn(now));
  expect_backup(base, applied.txn, kCount + 10, 'c');
  quire_snapshot_end(now);
  close_sound(db);
}

/* Nothing of what is refused leaves or changes a file. */
static void refuses_increments_that_do_not_fit(void) {
  quire_db* db = open_memory();
  quire_db* open = NULL;
  quire_backup_report first = {0};
  quire_backup_report second = {0};
  const char* const base = path_of("fitting");
  const char* const path = path_of("one");
  const char* const later = path_of("two");
  fill(db, 0, kCount, 'a');
  quire_snapshot* now = look(db);
  EXPECT(quire_backup(now, base, NULL, &first) == QUIRE_OK);
  EXPECT(quire_backup_since(now, first.txn + 1, path, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(!exists(path));
  quire_snapshot_end(now);
  fill(db, 0, 10, 'b');
  now = look(db);
  EXPECT(quire_backup_since(now, first.txn, path, NULL, &second) == QUIRE_OK);
  quire_snapshot_end(now);
  fill(db, 0, 10, 'c');
  now = look(db);
  EXPECT(quire_backup_since(now, second.txn, later, NULL, NULL) == QUIRE_OK);
  quire_snapshot_end(now);

  EXPECT(quire_apply_increment(base, later, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(says(base));
  EXPECT(quire_apply_increment(base, base, NULL, NULL) == QUIRE_NOT_A_DATABASE);
  EXPECT(quire_apply_increment(path, path, NULL, NULL) == QUIRE_NOT_A_DATABASE);
  EXPECT(quire_apply_increment(base, path_of("absent"), NULL, NULL) == QUIRE_IO);
  EXPECT(quire_apply_increment(path_of("absent"), path, NULL, NULL) == QUIRE_IO);
  EXPECT(quire_open(base, NULL, &open) == QUIRE_OK);
  EXPECT(quire_apply_increment(base, path, NULL, NULL) == QUIRE_BUSY);
  quire_close(open);
  expect_backup(base, first.txn, kCount, 'a');
  EXPECT(quire_apply_increment(base, path, NULL, NULL) == QUIRE_OK);
  EXPECT(quire_apply_increment(base, path, NULL, NULL) == QUIRE_MISUSE); /* again */
  expect_backup(base, second.txn, kCount, 'b');
  EXPECT(truncate(later, 4096) == 0);
  EXPECT(quire_apply_increment(base, later, NULL, NULL) == QUIRE_CORRUPT);
  expect_backup(base, second.txn, kCount, 'b');
  close_sound(db);
}

struct progress {
  int count;
  int stop_at;
  uint64_t done_bytes;
  uint64_t total_bytes;
};

static int count_progress(void* context, uint64_t done_bytes, uint64_t total_bytes) {
  struct progress* const seen = context;
  EXPECT(done_bytes >= seen->done_bytes && done_bytes <= total_bytes);
  seen->done_bytes = done_bytes;
  seen->total_bytes = total_bytes;
  return ++seen->count == seen->stop_at;
}

static void tells_its_progress_and_can_be_stopped(void) {
  quire_db* db = open_memory();
  quire_backup_report report = {.txn = 77};
  struct progress seen = {0};
  const quire_backup_options options = {.progress = count_progress, .context = &seen};
  const char* const path = path_of("watched");
  const char* const increment = path_of("stopped");
  fill(db, 0, kCount, 'a');
  quire_snapshot* now = look(db);
  seen.stop_at = 1;
  EXPECT(quire_backup(now, path, &options, &report) == QUIRE_STOPPED);
  EXPECT(report.txn == 77 && seen.count == 1 && !exists(path));
  memset(&seen, 0, sizeof seen);
  EXPECT(quire_backup(now, path, &options, &report) == QUIRE_OK);
  EXPECT(seen.count > 0 && seen.done_bytes == seen.total_bytes && seen.total_bytes > 0);
  quire_snapshot_end(now);

  fill(db, 0, 10, 'b');
  now = look(db);
  EXPECT(quire_backup_since(now, report.txn, increment, NULL, NULL) == QUIRE_OK);
  memset(&seen, 0, sizeof seen);
  seen.stop_at = 1;
  EXPECT(quire_apply_increment(path, increment, &options, NULL) == QUIRE_STOPPED);
  expect_backup(path, report.txn, kCount, 'a');
  memset(&seen, 0, sizeof seen);
  EXPECT(quire_apply_increment(path, increment, &options, &report) == QUIRE_OK);
  EXPECT(seen.count > 0 && report.txn == quire_snapshot_txn(now));
  quire_snapshot_end(now);
  close_sound(db);
}

static void refuses_what_is_no_backup(void) {
  quire_db* db = open_memory();
  quire_backup_options options = {0};
  const char* const path = path_of("never");
  quire_snapshot* now = look(db);
  EXPECT(quire_backup(NULL, path, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_backup(now, NULL, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_backup_descriptor(NULL, 1, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_backup_since(NULL, 1, path, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_backup_since(now, 1, NULL, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_backup_since_descriptor(NULL, 1, 1, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_apply_increment(NULL, path, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_apply_increment(path, NULL, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_apply_increment_descriptor(NULL, 1, NULL, NULL) == QUIRE_MISUSE);
  EXPECT(quire_backup_descriptor(now, -1, NULL, NULL) == QUIRE_IO);
  EXPECT(quire_backup_since_descriptor(now, 1, -1, NULL, NULL) == QUIRE_IO);
  EXPECT(quire_backup(now, "/nowhere/at/all", NULL, NULL) == QUIRE_IO);
  EXPECT(says("/nowhere/at"));
  options.zero[46] = 1;
  EXPECT(quire_backup(now, path, &options, NULL) == QUIRE_MISUSE);
  EXPECT(says("quire_backup_options") && !exists(path));
  quire_snapshot_end(now);
  close_sound(db);
}

static void compacts_in_steps(void) {
  quire_db* db = NULL;
  quire_txn* txn = NULL;
  quire_table* table = NULL;
  quire_statistics before;
  quire_statistics after;
  const char* const path = path_of("compacted");
  const quire_bytes limit = quire_text("9000");
  quire_compact_report report = {0};
  quire_compact_report first = {0};
  int step_count = 0;
  int code = QUIRE_OK;
  EXPECT(quire_open(path, NULL, &db) == QUIRE_OK);
  fill(db, 0, 10000, 'a');
  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_table(txn, quire_text("t"), &table) == QUIRE_OK);
  EXPECT(quire_erase_range(table, NULL, &limit, NULL) == QUIRE_OK);
  EXPECT(quire_compact(db, 0, NULL) == QUIRE_MISUSE); /* inside a transaction */
  EXPECT(quire_commit(txn) == QUIRE_OK);
  EXPECT(quire_stat(db, &before) == QUIRE_OK);
  while (step_count < 1000 && (code = quire_compact(db, 1, &report)) == QUIRE_OK) {
    if (step_count++ == 0) first = report;
  }
  EXPECT(code == QUIRE_NOT_FOUND && step_count > 1);
  EXPECT(report.used_bytes < first.used_bytes / 2 && report.used_bytes > report.wanted_bytes / 2);
  EXPECT(quire_compact(db, 0, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_compact(NULL, 0, NULL) == QUIRE_MISUSE);
  close_sound(db);
  db = NULL;
  EXPECT(quire_open(path, NULL, &db) == QUIRE_OK);
  EXPECT(quire_stat(db, &after) == QUIRE_OK);
  EXPECT(after.entry_count == 1000 && after.file_bytes < before.file_bytes / 2);
  close_sound(db);
}

int run_backup_tests(void) {
  int failed = 0;
  failed += run("BacksUpToPathsAndDescriptors", backs_up_to_paths_and_descriptors);
  failed += run("AppliesIncrements", applies_increments);
  failed += run("RefusesIncrementsThatDoNotFit", refuses_increments_that_do_not_fit);
  failed += run("TellsItsProgressAndCanBeStopped", tells_its_progress_and_can_be_stopped);
  failed += run("RefusesWhatIsNoBackup", refuses_what_is_no_backup);
  failed += run("CompactsInSteps", compacts_in_steps);
  return failed;
}
