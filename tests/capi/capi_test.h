/* What the C tests share. */
#pragma once

#include <quire/c.h>

#include <stdio.h>

extern int failures;

#define EXPECT(condition)                                                                  \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      printf("%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition, quire_message()); \
      ++failures;                                                                          \
    }                                                                                      \
  } while (0)

int is_text(quire_bytes bytes, const char* text);
int says(const char* text); /* quire_message */

/* Changes a byte wherever `text` stands in a file. */
void spoil(const char* where, const char* text);

/* The path of that name in the tests' directory; valid until the 16th call from now. */
const char* path_of(const char* name);

/* A database in memory, and its end: it must be sound. */
quire_db* open_memory(void);
void close_sound(quire_db* db);

/* A transaction and its table "t"; a snapshot, and with its table "t". */
quire_txn* begin_in_t(quire_db* db, quire_table** table);
quire_snapshot* look(quire_db* db);
quire_snapshot* look_at_t(quire_db* db, quire_table** table);

/* An entry whose value is its key; so many, "0000" and on; whether it is there; how many entries
 * there are. */
int put_text(quire_table* table, const char* key);
void put_numbers(quire_table* table, int count);
int has_text(const quire_table* table, const char* key);
uint64_t count_of(const quire_table* table);

/* Runs a test; 1 when it has failed. */
int run(const char* name, void (*test)(void));

/* Those of a file; how many have failed. */
int run_fork_tests(void);
int run_changes_tests(void);
int run_multimap_tests(void);
int run_value_tests(void);
int run_backup_tests(void);
int run_sample_tests(void);
int run_cursor_tests(void);
