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

/* The path of that name in the tests' directory; valid until the 16th call from now. */
const char* path_of(const char* name);

/* A database in memory, and its end: it must be sound. */
quire_db* open_memory(void);
void close_sound(quire_db* db);

/* Runs a test; 1 when it has failed. */
int run(const char* name, void (*test)(void));

/* Those of a file; how many have failed. */
int run_changes_tests(void);
int run_multimap_tests(void);
int run_value_tests(void);
int run_backup_tests(void);
int run_sample_tests(void);
