/* quire for C (C11) and for whatever calls C. The same library and the same files as the C++
 * interface, which says in more detail what each thing does: quire/quire.h.
 *
 *   quire_db* db;
 *   quire_txn* txn;
 *   quire_table* people;
 *   if (quire_open("people.quire", NULL, &db) != QUIRE_OK) return fail(quire_message());
 *   quire_begin(db, &txn);
 *   quire_txn_table(txn, quire_text("people"), &people);
 *   quire_put(people, quire_text("ada"), quire_text("Ada Lovelace"));
 *   quire_commit(txn);                       // durable here
 *   quire_close(db);
 *
 * Results. Every function that can fail returns a code: QUIRE_OK, one that is an ordinary answer
 * (QUIRE_NOT_FOUND, QUIRE_EXISTS), or an error, whose text quire_message() gives. Results are
 * stored only with QUIRE_OK. A null handle, and a null pointer for a result, is QUIRE_MISUSE. No
 * C++ exception leaves a function.
 *
 * Lifetimes. A handle is valid until the function that ends it. Tables belong to their snapshot or
 * transaction and end with it. Keys and values that are handed out point into the file: valid as
 * long as the snapshot; in a transaction until the next change of the table. Transactions and
 * snapshots may outlive quire_close; the file is closed when the last of them has ended.
 *
 * Threads. A database: any, at once. A snapshot and its tables: any, at once. A transaction and
 * what belongs to it: the thread that began it. A cursor: one at a time.
 */
#pragma once

#include <quire/export.h>
#include <quire/version.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct quire_db quire_db;
typedef struct quire_snapshot quire_snapshot;
typedef struct quire_txn quire_txn;
typedef struct quire_table quire_table;
typedef struct quire_cursor quire_cursor;

/* Any bytes. `data` may be null when `size` is 0; those that are handed out never are. */
typedef struct quire_bytes {
  const void* data;
  size_t size;
} quire_bytes;

/* The bytes of a text, without its end. */
static inline quire_bytes quire_text(const char* text) {
  quire_bytes bytes;
  bytes.data = text;
  bytes.size = strlen(text);
  return bytes;
}

enum {
  QUIRE_OK = 0,

  /* As quire::Errc. */
  QUIRE_CORRUPT = 1,
  QUIRE_NOT_A_DATABASE = 2,
  QUIRE_WRONG_VERSION = 3,
  QUIRE_BUSY = 4,
  QUIRE_NO_SPACE = 5,
  QUIRE_TOO_LARGE = 6,
  QUIRE_POISONED = 7,
  QUIRE_READ_ONLY = 8,
  QUIRE_FORKED = 9,
  QUIRE_MISUSE = 10,
  QUIRE_IO = 11,
  QUIRE_UNSUPPORTED_FILESYSTEM = 12,

  QUIRE_NO_MEMORY = 50,
  QUIRE_UNEXPECTED = 51, /* an error of another kind, as its text says */

  /* Ordinary answers: no text. */
  QUIRE_NOT_FOUND = 100, /* the key is absent; a cursor has passed the end; a time is over */
  QUIRE_EXISTS = 101     /* quire_insert: the key is there, nothing has changed */
};

/* Text of the last error on this thread, "" before the first; valid until its next one. At most
 * 1023 bytes. */
QUIRE_API const char* quire_message(void);

/* Version of the library, as QUIRE_VERSION. */
QUIRE_API const char* quire_version(void);

/* How a database is opened; all zero: as quire::Options has it. */
typedef struct quire_options {
  uint64_t reserve_bytes; /* address space; 0 = as much as the system grants */
  uint32_t page_bytes;    /* 4096 ... 65536 at creation; 0 = 4096, or what the file has */
  uint8_t must_exist;     /* do not create */
  uint8_t read_only;
  uint8_t relaxed; /* quire_commit returns when the commit is visible */
  uint8_t verify;  /* QUIRE_VERIFY_... */
  uint8_t guard_sigbus;
  uint8_t no_background_checkpoints;
  uint8_t allow_any_filesystem;
  uint8_t zero[41]; /* must be 0 */
} quire_options;

enum { QUIRE_VERIFY_NEVER = 0, QUIRE_VERIFY_FIRST_TOUCH = 1, QUIRE_VERIFY_ALWAYS = 2 };

/* Opens or creates a file. `options` may be null. Errors: as quire::Database's constructor. */
QUIRE_API int quire_open(const char* path, const quire_options* options, quire_db** db);

/* A new database in memory; the descriptors of one, which stay its own; and opening one by
 * descriptors that were inherited or received, which stay the caller's. Of a file on a disk there
 * are no descriptors: QUIRE_NOT_FOUND. */
QUIRE_API int quire_open_in_memory(const quire_options* options, quire_db** db);
QUIRE_API int quire_descriptors(quire_db* db, int* data, int* region);
QUIRE_API int quire_open_descriptors(int data, int region, const quire_options* options,
                                     quire_db** db);

/* Null is nothing to close. */
QUIRE_API void quire_close(quire_db* db);

/* Makes every commit that has returned durable. */
QUIRE_API int quire_sync(quire_db* db);

/* Writes the pages so that the next open replays nothing. */
QUIRE_API int quire_checkpoint(quire_db* db);

/* Waits for a commit newer than `after` and stores the newest one's number. A negative timeout is
 * for ever. QUIRE_NOT_FOUND: none came in time. */
QUIRE_API int quire_wait_for_commit(quire_db* db, uint64_t after, int64_t timeout_nanoseconds,
                                    uint64_t* txn);

typedef struct quire_statistics {
  uint64_t page_bytes;
  uint64_t file_bytes;
  uint64_t used_pages;
  uint64_t pending_pages;
  uint64_t free_pages;
  uint64_t txn;
  uint64_t checkpoint_txn;
  uint64_t log_bytes;
  uint64_t log_used_bytes;
  uint64_t process_count;
  uint64_t reader_count;
  uint64_t table_count; /* named ones */
  uint64_t entry_count; /* in all tables */
} quire_statistics;

/* Takes the writer lock for a moment. Cost grows with the number of tables. */
QUIRE_API int quire_stat(quire_db* db, quire_statistics* statistics);

/* Judges the whole file. QUIRE_CORRUPT: the text is the first fault. `fault_count` may be null. */
QUIRE_API int quire_check(quire_db* db, uint64_t* fault_count);

/* What the newest commit left, unchanging until quire_snapshot_end. */
QUIRE_API int quire_snapshot_begin(quire_db* db, quire_snapshot** snapshot);
QUIRE_API void quire_snapshot_end(quire_snapshot* snapshot);
QUIRE_API uint64_t quire_snapshot_txn(const quire_snapshot* snapshot);

/* Writes every table of the snapshot into a new, packed file. */
QUIRE_API int quire_copy(const quire_snapshot* snapshot, const char* path);

/* The write transaction. quire_begin waits for the running one, with a timeout for so long (0: not
 * at all), then QUIRE_BUSY. */
QUIRE_API int quire_begin(quire_db* db, quire_txn** txn);
QUIRE_API int quire_begin_within(quire_db* db, int64_t timeout_nanoseconds, quire_txn** txn);

/* Both end the transaction, whatever they return, but on the thread that began it only: elsewhere
 * they change nothing, and the commit returns QUIRE_MISUSE. After QUIRE_POISONED and QUIRE_IO it is
 * unknown whether the commit survives; after any other error nothing has happened. */
QUIRE_API int quire_commit(quire_txn* txn);
QUIRE_API void quire_rollback(quire_txn* txn);

/* As quire_commit, returning when the commit is visible. */
QUIRE_API int quire_commit_relaxed(quire_txn* txn);

/* A table; no name ({NULL, 0}) is the default one. One that does not exist reads as empty, and the
 * first put creates it. Asked for again, the same handle comes back. */
QUIRE_API int quire_snapshot_table(quire_snapshot* snapshot, quire_bytes name, quire_table** table);
QUIRE_API int quire_txn_table(quire_txn* txn, quire_bytes name, quire_table** table);

/* Removes a named table; QUIRE_NOT_FOUND when it does not exist. */
QUIRE_API int quire_drop(quire_txn* txn, quire_bytes name);

/* The names of the named tables, in order; the array belongs to the snapshot. */
QUIRE_API int quire_tables(quire_snapshot* snapshot, const quire_bytes** names, size_t* count);

/* The value, or QUIRE_NOT_FOUND. One descent, no copy. */
QUIRE_API int quire_get(const quire_table* table, quire_bytes key, quire_bytes* value);

/* What quire_get gives for each key; {NULL, 0} where it is absent; after an error anything. Much
 * faster than one by one when the table is larger than the processor's caches. */
QUIRE_API int quire_get_many(const quire_table* table, const quire_bytes* keys, size_t count,
                             quire_bytes* values);

/* Number of entries; kept, not counted. */
QUIRE_API int quire_count(const quire_table* table, uint64_t* count);

/* Changes: of tables of a transaction; others are QUIRE_READ_ONLY. After QUIRE_NO_SPACE, QUIRE_IO
 * and QUIRE_CORRUPT the transaction can only be rolled back. */
QUIRE_API int quire_put(quire_table* table, quire_bytes key, quire_bytes value);
QUIRE_API int quire_insert(quire_table* table, quire_bytes key, quire_bytes value);
QUIRE_API int quire_erase(quire_table* table, quire_bytes key); /* or QUIRE_NOT_FOUND */
QUIRE_API int quire_clear(quire_table* table);

/* A cursor over the keys with first <= key < limit; null: no bound. Or over those that begin with
 * `prefix`. It ends with quire_cursor_close, which must come before its snapshot or transaction
 * ends; a change of the table makes it QUIRE_MISUSE. */
QUIRE_API int quire_cursor_range(const quire_table* table, const quire_bytes* first,
                                 const quire_bytes* limit, quire_cursor** cursor);
QUIRE_API int quire_cursor_prefix(const quire_table* table, quire_bytes prefix,
                                  quire_cursor** cursor);
QUIRE_API void quire_cursor_close(quire_cursor* cursor);

/* Moves, and stores the entry there (`key` and `value` may be null). QUIRE_NOT_FOUND: there is
 * none, the cursor stands beyond its end, or before its beginning. A new cursor stands before the
 * beginning, so `while (quire_cursor_next(...) == QUIRE_OK)` sees every entry. */
QUIRE_API int quire_cursor_next(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);
QUIRE_API int quire_cursor_previous(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);
QUIRE_API int quire_cursor_first(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);
QUIRE_API int quire_cursor_last(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);

/* To the first entry of its range with a key >= `wanted`. */
QUIRE_API int quire_cursor_seek(quire_cursor* cursor, quire_bytes wanted, quire_bytes* key,
                                quire_bytes* value);

#ifdef __cplusplus
}
#endif
