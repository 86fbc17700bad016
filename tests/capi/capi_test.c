/* The C interface as a C program uses it. Prints what GoogleTest prints. */
#include "capi_test.h"

#include <quire/c.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int failures;
static int test_count;

static char directory[] = "/tmp/quire-c-XXXXXX";
static char path[64];

int is_text(quire_bytes bytes, const char* text) {
  return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

int says(const char* text) { return strstr(quire_message(), text) != NULL; }

void spoil(const char* where, const char* text) {
  FILE* const file = fopen(where, "r+b");
  int count = 0;
  EXPECT(file != NULL && fseek(file, 0, SEEK_END) == 0);
  if (file == NULL) return;
  const size_t size = (size_t)ftell(file);
  char* const bytes = malloc(size);
  rewind(file);
  EXPECT(bytes != NULL && fread(bytes, 1, size, file) == size);
  for (char* at = bytes; (at = memmem(at, size - (size_t)(at - bytes), text, strlen(text)));) {
    EXPECT(fseek(file, at - bytes, SEEK_SET) == 0 && fputc(*at ^ 1, file) != EOF);
    ++at;
    ++count;
  }
  EXPECT(count > 0);
  free(bytes);
  EXPECT(fclose(file) == 0);
}

const char* path_of(const char* name) {
  static char paths[16][320];
  static size_t next;
  char* const to = paths[next++ % 16];
  snprintf(to, sizeof paths[0], "%s/%s", directory, name);
  return to;
}

static void remove_directory(void) {
  DIR* const all = opendir(directory);
  const struct dirent* entry = NULL;
  while (all != NULL && (entry = readdir(all)) != NULL) unlink(path_of(entry->d_name));
  if (all != NULL) closedir(all);
  rmdir(directory);
}

quire_db* open_memory(void) {
  quire_db* db = NULL;
  EXPECT(quire_open_in_memory(NULL, &db) == QUIRE_OK);
  return db;
}

void close_sound(quire_db* db) {
  EXPECT(quire_check(db, NULL) == QUIRE_OK);
  quire_close(db);
}

quire_txn* begin_in_t(quire_db* db, quire_table** table) {
  quire_txn* txn = NULL;
  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_table(txn, quire_text("t"), table) == QUIRE_OK);
  return txn;
}

quire_snapshot* look(quire_db* db) {
  quire_snapshot* now = NULL;
  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  return now;
}

quire_snapshot* look_at_t(quire_db* db, quire_table** table) {
  quire_snapshot* const now = look(db);
  EXPECT(quire_snapshot_table(now, quire_text("t"), table) == QUIRE_OK);
  return now;
}

int put_text(quire_table* table, const char* key) {
  return quire_put(table, quire_text(key), quire_text(key));
}

void put_numbers(quire_table* table, int count) {
  char text[16];
  for (int i = 0; i < count; ++i) {
    snprintf(text, sizeof text, "%04d", i);
    EXPECT(put_text(table, text) == QUIRE_OK);
  }
}

int has_text(const quire_table* table, const char* key) {
  quire_bytes value;
  return quire_get(table, quire_text(key), &value) == QUIRE_OK && is_text(value, key);
}

uint64_t count_of(const quire_table* table) {
  uint64_t count = 0;
  EXPECT(quire_count(table, &count) == QUIRE_OK);
  return count;
}

static quire_db* open_db(void) {
  quire_db* db = NULL;
  EXPECT(quire_open(path, NULL, &db) == QUIRE_OK);
  return db;
}

static void keeps_what_is_committed(void) {
  quire_db* db = open_db();
  quire_txn* txn = NULL;
  quire_table* people = NULL;
  quire_table* again = NULL;
  quire_bytes value;
  uint64_t count = 0;
  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_table(txn, quire_text("people"), &people) == QUIRE_OK);
  EXPECT(quire_txn_table(txn, quire_text("people"), &again) == QUIRE_OK && again == people);
  EXPECT(quire_put(people, quire_text("ada"), quire_text("Ada Lovelace")) == QUIRE_OK);
  EXPECT(quire_insert(people, quire_text("ada"), quire_text("x")) == QUIRE_EXISTS);
  EXPECT(quire_insert(people, quire_text("alan"), quire_text("Alan Turing")) == QUIRE_OK);
  EXPECT(quire_put(people, quire_text("nobody"), quire_text("")) == QUIRE_OK);
  EXPECT(quire_get(people, quire_text("nobody"), &value) == QUIRE_OK);
  EXPECT(value.size == 0 && value.data != NULL);
  EXPECT(quire_erase(people, quire_text("nobody")) == QUIRE_OK);
  EXPECT(quire_erase(people, quire_text("nobody")) == QUIRE_NOT_FOUND);
  EXPECT(quire_commit(txn) == QUIRE_OK);
  quire_close(db);

  quire_snapshot* now = NULL;
  db = open_db();
  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  quire_close(db); /* the snapshot lasts */
  EXPECT(quire_snapshot_txn(now) > 1);
  EXPECT(quire_snapshot_table(now, quire_text("people"), &people) == QUIRE_OK);
  EXPECT(quire_get(people, quire_text("ada"), &value) == QUIRE_OK);
  EXPECT(is_text(value, "Ada Lovelace"));
  EXPECT(quire_get(people, quire_text("nobody"), &value) == QUIRE_NOT_FOUND);
  EXPECT(quire_count(people, &count) == QUIRE_OK && count == 2);
  EXPECT(quire_put(people, quire_text("x"), quire_text("y")) == QUIRE_READ_ONLY);
  const quire_bytes* names = NULL;
  size_t name_count = 0;
  EXPECT(quire_tables(now, &names, &name_count) == QUIRE_OK && name_count == 1);
  EXPECT(is_text(names[0], "people"));
  quire_snapshot_end(now);
}

static void rolls_back(void) {
  quire_db* db = open_db();
  quire_txn* txn = NULL;
  quire_txn* second = NULL;
  quire_table* table = NULL;
  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_begin_within(db, 0, &second) == QUIRE_MISUSE); /* same thread */
  EXPECT(second == NULL);
  EXPECT(quire_txn_table(txn, quire_text("people"), &table) == QUIRE_OK);
  EXPECT(quire_clear(table) == QUIRE_OK);
  EXPECT(quire_drop(txn, quire_text("people")) == QUIRE_OK);
  EXPECT(quire_drop(txn, quire_text("absent")) == QUIRE_NOT_FOUND);
  quire_rollback(txn);

  quire_statistics found;
  EXPECT(quire_stat(db, &found) == QUIRE_OK);
  EXPECT(found.table_count == 1 && found.entry_count == 2 && found.process_count == 1);
  EXPECT(found.page_bytes == 4096);
  quire_close(db);
}

/* All of "000" to "999". */
static void walk_all(const quire_table* table) {
  quire_cursor* cursor = NULL;
  quire_bytes key;
  quire_bytes value;
  char text[16];
  int count = 0;
  EXPECT(quire_cursor_range(table, NULL, NULL, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_previous(cursor, &key, &value) == QUIRE_NOT_FOUND);
  while (quire_cursor_next(cursor, &key, &value) == QUIRE_OK) {
    snprintf(text, sizeof text, "%03d", count++);
    EXPECT(is_text(key, text) && is_text(value, text));
  }
  EXPECT(count == 1000);
  EXPECT(quire_cursor_next(cursor, &key, NULL) == QUIRE_NOT_FOUND);
  while (quire_cursor_previous(cursor, &key, NULL) == QUIRE_OK) --count;
  EXPECT(count == 0 && is_text(key, "000"));
  EXPECT(quire_cursor_next(cursor, &key, NULL) == QUIRE_OK && is_text(key, "000"));
  quire_cursor_close(cursor);
}

static void walk_parts(const quire_table* table) {
  quire_cursor* cursor = NULL;
  quire_bytes key;
  int count = 0;
  const quire_bytes first = quire_text("0995");
  const quire_bytes limit = quire_text("105");
  EXPECT(quire_cursor_range(table, &first, &limit, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_last(cursor, &key, NULL) == QUIRE_OK && is_text(key, "104"));
  EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_cursor_first(cursor, &key, NULL) == QUIRE_OK && is_text(key, "100"));
  EXPECT(quire_cursor_seek(cursor, quire_text("1025"), &key, NULL) == QUIRE_OK);
  EXPECT(is_text(key, "103"));
  EXPECT(quire_cursor_previous(cursor, &key, NULL) == QUIRE_OK && is_text(key, "102"));
  EXPECT(quire_cursor_seek(cursor, quire_text("000"), &key, NULL) == QUIRE_OK);
  EXPECT(is_text(key, "100"));
  EXPECT(quire_cursor_seek(cursor, quire_text("105"), &key, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_cursor_previous(cursor, &key, NULL) == QUIRE_OK && is_text(key, "104"));
  EXPECT(quire_cursor_seek(cursor, quire_text("zzz"), &key, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);

  EXPECT(quire_cursor_range(table, &limit, &first, &cursor) == QUIRE_OK);
  EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_NOT_FOUND);
  EXPECT(quire_cursor_seek(cursor, first, NULL, NULL) == QUIRE_NOT_FOUND);
  quire_cursor_close(cursor);

  EXPECT(quire_cursor_prefix(table, quire_text("98"), &cursor) == QUIRE_OK);
  for (count = 0; quire_cursor_next(cursor, &key, NULL) == QUIRE_OK; ++count) continue;
  EXPECT(count == 10 && is_text(key, "989"));
  quire_cursor_close(cursor);
}

static void get_many(const quire_table* table) {
  quire_bytes keys[130];
  quire_bytes values[130];
  char texts[130][16];
  for (int i = 0; i < 130; ++i) {
    snprintf(texts[i], sizeof texts[i], "%03d", i * 10);
    keys[i] = quire_text(texts[i]);
  }
  EXPECT(quire_get_many(table, keys, 130, values) == QUIRE_OK);
  for (int i = 0; i < 130; ++i) {
    EXPECT(i < 100 ? is_text(values[i], texts[i]) : values[i].data == NULL);
  }
  EXPECT(quire_get_many(table, NULL, 0, NULL) == QUIRE_OK);
}

static void walks_both_ways(void) {
  quire_db* db = open_db();
  quire_txn* txn = NULL;
  quire_table* table = NULL;
  char text[16];
  EXPECT(quire_begin_within(db, -1, &txn) == QUIRE_OK);
  EXPECT(quire_txn_table(txn, quire_text("numbers"), &table) == QUIRE_OK);
  for (int i = 0; i < 1000; ++i) {
    snprintf(text, sizeof text, "%03d", i);
    EXPECT(quire_put(table, quire_text(text), quire_text(text)) == QUIRE_OK);
  }
  EXPECT(quire_commit_relaxed(txn) == QUIRE_OK);
  EXPECT(quire_sync(db) == QUIRE_OK);
  EXPECT(quire_checkpoint(db) == QUIRE_OK);

  quire_snapshot* now = look(db);
  EXPECT(quire_snapshot_table(now, quire_text("numbers"), &table) == QUIRE_OK);
  walk_all(table);
  walk_parts(table);
  get_many(table);
  quire_snapshot_end(now);
  quire_close(db);
}

static void says_what_is_wrong(void) {
  quire_db* db = NULL;
  quire_bytes value;
  quire_options options = {0};
  EXPECT(quire_open("/nowhere/at/all", NULL, &db) == QUIRE_IO && db == NULL);
  EXPECT(says("/nowhere/at"));
  options.page_bytes = 1000;
  EXPECT(quire_open(path, &options, &db) == QUIRE_MISUSE);
  options.page_bytes = 0;
  options.zero[44] = 1;
  EXPECT(quire_open(path, &options, &db) == QUIRE_MISUSE);
  EXPECT(quire_open(NULL, NULL, &db) == QUIRE_MISUSE);
  EXPECT(quire_get(NULL, quire_text(""), &value) == QUIRE_MISUSE);
  EXPECT(quire_put(NULL, quire_text(""), quire_text("")) == QUIRE_MISUSE);
  EXPECT(quire_commit(NULL) == QUIRE_MISUSE);
  EXPECT(quire_cursor_next(NULL, NULL, NULL) == QUIRE_MISUSE);
  quire_rollback(NULL);
  quire_snapshot_end(NULL);
  quire_cursor_close(NULL);
  quire_close(NULL);

  quire_txn* txn = NULL;
  quire_table* table = NULL;
  quire_cursor* cursor = NULL;
  char* large = calloc(1, 5000);
  const quire_bytes too_large = {large, 5000};
  const quire_bytes nowhere = {NULL, 1};
  db = open_db();
  EXPECT(quire_begin(db, &txn) == QUIRE_OK);
  EXPECT(quire_txn_table(txn, too_large, &table) == QUIRE_TOO_LARGE);
  EXPECT(quire_txn_table(txn, quire_text("people"), &table) == QUIRE_OK);
  EXPECT(quire_put(table, too_large, quire_text("")) == QUIRE_TOO_LARGE);
  EXPECT(quire_put(table, nowhere, quire_text("")) == QUIRE_MISUSE);
  EXPECT(quire_cursor_range(table, NULL, NULL, &cursor) == QUIRE_OK);
  EXPECT(quire_put(table, quire_text("k"), quire_text("v")) == QUIRE_OK);
  EXPECT(quire_cursor_next(cursor, NULL, NULL) == QUIRE_MISUSE);
  quire_cursor_close(cursor);
  quire_rollback(txn);
  EXPECT(quire_wait_for_commit(db, UINT64_MAX - 1, 1000, &(uint64_t){0}) == QUIRE_NOT_FOUND);
  quire_close(db);
  free(large);

  options.zero[44] = 0;
  options.read_only = 1;
  EXPECT(quire_open(path, &options, &db) == QUIRE_OK);
  EXPECT(quire_begin(db, &txn) == QUIRE_READ_ONLY);
  quire_close(db);
}

static void copies_and_checks(void) {
  char target[80];
  quire_snapshot* now = NULL;
  uint64_t fault_count = 1;
  quire_db* db = open_db();
  snprintf(target, sizeof target, "%s/copy", directory);
  EXPECT(quire_snapshot_begin(db, &now) == QUIRE_OK);
  EXPECT(quire_copy(now, target) == QUIRE_OK);
  EXPECT(quire_copy(now, target) == QUIRE_MISUSE);
  quire_snapshot_end(now);
  EXPECT(quire_check(db, &fault_count) == QUIRE_OK && fault_count == 0);
  quire_close(db);
  EXPECT(quire_open(target, NULL, &db) == QUIRE_OK);
  EXPECT(quire_check(db, NULL) == QUIRE_OK);
  quire_close(db);

  spoil(target, "Ada Lovelace");
  EXPECT(quire_open(target, NULL, &db) == QUIRE_OK);
  EXPECT(quire_check(db, &fault_count) == QUIRE_CORRUPT && fault_count > 0);
  EXPECT(says(target) && says(": page ") && says("kvtool salvage"));
  quire_close(db);
}

static void tells_who_keeps_old_states(void) {
  quire_db* db = open_memory();
  quire_snapshot* first = NULL;
  quire_snapshot* second = NULL;
  quire_table* table = NULL;
  quire_reader readers[3];
  size_t count = 7;
  EXPECT(quire_readers(db, NULL, 0, &count) == QUIRE_OK && count == 0);
  EXPECT(quire_snapshot_begin(db, &first) == QUIRE_OK);
  quire_txn* txn = begin_in_t(db, &table);
  EXPECT(put_text(table, "a") == QUIRE_OK && quire_commit(txn) == QUIRE_OK);
  EXPECT(quire_snapshot_begin(db, &second) == QUIRE_OK);
  EXPECT(quire_readers(db, readers, 3, &count) == QUIRE_OK && count == 2);
  EXPECT(readers[0].txn == quire_snapshot_txn(first) && readers[0].commits_behind == 1);
  EXPECT(readers[1].txn == quire_snapshot_txn(second) && readers[1].commits_behind == 0);
  EXPECT(readers[0].pid == (uint64_t)getpid() && strlen(readers[0].command) > 0);
  EXPECT(readers[0].thread == (uint64_t)gettid() && readers[0].zero[8] == 0);
  memset(readers, 1, sizeof readers);
  EXPECT(quire_readers(db, readers, 1, &count) == QUIRE_OK && count == 2);
  EXPECT(readers[0].commits_behind == 1 && readers[1].txn == UINT64_C(0x0101010101010101));
  EXPECT(quire_readers(db, NULL, 1, &count) == QUIRE_MISUSE);
  EXPECT(quire_readers(db, readers, 1, NULL) == QUIRE_MISUSE);
  EXPECT(quire_readers(NULL, readers, 1, &count) == QUIRE_MISUSE);
  quire_snapshot_end(first);
  quire_snapshot_end(second);
  close_sound(db);
}

int run(const char* name, void (*test)(void)) {
  const int before = failures;
  ++test_count;
  printf("[ RUN      ] Capi.%s\n", name);
  test();
  printf(failures == before ? "[       OK ] Capi.%s\n" : "[  FAILED  ] Capi.%s\n", name);
  return failures != before;
}

int main(void) {
  int failed = 0;
  if (mkdtemp(directory) == NULL) return 1;
  snprintf(path, sizeof path, "%s/db", directory);
  if (strcmp(quire_version(), QUIRE_VERSION) != 0) return 1;
  failed += run("KeepsWhatIsCommitted", keeps_what_is_committed);
  failed += run("RollsBack", rolls_back);
  failed += run("WalksBothWays", walks_both_ways);
  failed += run("SaysWhatIsWrong", says_what_is_wrong);
  failed += run("CopiesAndChecks", copies_and_checks);
  failed += run("TellsWhoKeepsOldStates", tells_who_keeps_old_states);
  failed += run_fork_tests();
  failed += run_changes_tests();
  failed += run_multimap_tests();
  failed += run_value_tests();
  failed += run_backup_tests();
  failed += run_sample_tests();
  failed += run_cursor_tests();
  remove_directory();
  printf("%d passed, %d failed\n", test_count - failed, failed);
  return failed != 0;
}
