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
 * (QUIRE_NOT_FOUND and what follows it), or an error, whose text quire_message() gives.
 * Results are stored only with QUIRE_OK, where nothing else is said. A null handle, and a null
 * pointer for a result that may not be null, is QUIRE_MISUSE. No C++ exception leaves a function.
 *
 * Lifetimes. A handle is valid until the function that ends it. Tables, multimaps and savepoints
 * belong to their snapshot or transaction and end with it. Value writers and readers have an end of
 * their own; once their snapshot or transaction has ended, every other call with them is
 * QUIRE_MISUSE. Keys and values that are handed out point into the file: valid as long as the
 * snapshot; in a transaction until the next change of the table. Transactions and snapshots may
 * outlive quire_close; the file is closed when the last of them has ended.
 *
 * Threads. A database: any, at once. A snapshot and its tables: any, at once. A transaction and
 * what belongs to it: the thread that began it; elsewhere every call is QUIRE_MISUSE, and changes
 * nothing. A cursor, a value reader: one at a time. A thread must not be cancelled (pthread_cancel)
 * inside a call: that ends the process. pthread_setcancelstate keeps it off meanwhile. In a child
 * after fork every call that returns a code is QUIRE_FORKED for what was inherited, or, for a
 * transaction of another thread, QUIRE_MISUSE: open the file anew there.
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
typedef struct quire_savepoint quire_savepoint;
typedef struct quire_table quire_table;
typedef struct quire_multimap quire_multimap;
typedef struct quire_cursor quire_cursor;
typedef struct quire_value_writer quire_value_writer;
typedef struct quire_value_reader quire_value_reader;

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
  QUIRE_EXISTS = 101,    /* an insertion: the key, or pair, is there, nothing has changed */
  QUIRE_DIFFERENT = 102, /* quire_compare_and_swap: the value is another, nothing has changed */
  QUIRE_STOPPED = 103    /* a progress function has ended the call */
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
  uint8_t zero[45]; /* must be 0 */
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
  uint64_t zero[19];    /* for what later versions will say */
} quire_statistics;

/* Takes the writer lock for a moment. Cost grows with the number of tables. */
QUIRE_API int quire_stat(quire_db* db, quire_statistics* statistics);

/* An open snapshot, in whatever process, as quire::ReaderInfo. */
typedef struct quire_reader {
  uint64_t pid; /* 0: processes that may only read */
  uint64_t pid_namespace;
  uint64_t thread;
  uint64_t txn;
  uint64_t commits_behind;
  uint64_t age_seconds;
  uint64_t pinned_bytes; /* about how much of the file waits for it */
  char command[64];
  uint64_t zero[9]; /* for what later versions will say */
} quire_reader;

/* Who keeps which state: stores the oldest ones, `size` at most, and how many there are, which may
 * be more. `readers` may be null where `size` is 0. Waits for nobody. */
QUIRE_API int quire_readers(quire_db* db, quire_reader* readers, size_t size, size_t* count);

/* Judges the whole file. QUIRE_CORRUPT: the text names the first fault. `fault_count` may be null;
 * its number is stored whatever is returned, 0 when the file could not be judged. */
QUIRE_API int quire_check(quire_db* db, uint64_t* fault_count);

/* What the newest commit left, unchanging until quire_snapshot_end. */
QUIRE_API int quire_snapshot_begin(quire_db* db, quire_snapshot** snapshot);
QUIRE_API void quire_snapshot_end(quire_snapshot* snapshot);
QUIRE_API uint64_t quire_snapshot_txn(const quire_snapshot* snapshot);

/* Writes every table of the snapshot into a new, packed file. */
QUIRE_API int quire_copy(const quire_snapshot* snapshot, const char* path);

/* How backups are made (quire/backup.h); all zero is allowed. `progress`, where it is not null, is
 * called now and then with `context`; what it returns other than 0 ends the call: QUIRE_STOPPED. */
typedef struct quire_backup_options {
  int (*progress)(void* context, uint64_t done_bytes, uint64_t total_bytes);
  void* context;
  uint8_t allow_any_filesystem;
  uint8_t zero[47]; /* must be 0 */
} quire_backup_options;

typedef struct quire_backup_report {
  uint64_t txn; /* the commit that the file holds: what the next increment begins from */
  uint64_t page_count;
  uint64_t written_bytes;
  uint64_t zero[5]; /* for what later versions will say */
} quire_backup_report;

/* Writes the snapshot page by page, so that increments can be applied to it: to a path that does
 * not exist, or to a descriptor from its beginning to its end without seeking. `options` and
 * `report` may be null. QUIRE_MISUSE where the path exists: that file stays. After any other error
 * and QUIRE_STOPPED nothing is at the path; what a descriptor got is of no use then. */
QUIRE_API int quire_backup(const quire_snapshot* snapshot, const char* path,
                           const quire_backup_options* options, quire_backup_report* report);
QUIRE_API int quire_backup_descriptor(const quire_snapshot* snapshot, int descriptor,
                                      const quire_backup_options* options,
                                      quire_backup_report* report);

/* The same of what the snapshot has and commit `txn` had not. QUIRE_MISUSE: that is yet to come. */
QUIRE_API int quire_backup_since(const quire_snapshot* snapshot, uint64_t txn, const char* path,
                                 const quire_backup_options* options, quire_backup_report* report);
QUIRE_API int quire_backup_since_descriptor(const quire_snapshot* snapshot, uint64_t txn,
                                            int descriptor, const quire_backup_options* options,
                                            quire_backup_report* report);

/* Makes a backup, which nobody has open or has written to, what a backup of the increment's
 * snapshot would be. QUIRE_MISUSE: the increment is not for it as it is; QUIRE_BUSY: somebody has
 * it open; QUIRE_CORRUPT: the increment is damaged or cut short. After QUIRE_IO or QUIRE_NO_SPACE
 * the file is as before or the new state as a whole, as its commit tells; after any other error and
 * QUIRE_STOPPED as before. */
QUIRE_API int quire_apply_increment(const char* database, const char* increment,
                                    const quire_backup_options* options,
                                    quire_backup_report* report);
QUIRE_API int quire_apply_increment_descriptor(const char* database, int descriptor,
                                               const quire_backup_options* options,
                                               quire_backup_report* report);

typedef struct quire_compact_report {
  uint64_t used_bytes;   /* up to the last page in use when the step began */
  uint64_t wanted_bytes; /* where the file could end about */
  uint64_t zero[6];      /* for what later versions will say */
} quire_compact_report;

/* One step of making the file smaller while others use it, as quire::compact: moves up to about
 * `step_bytes` (0: 16 MiB), but 64 pages at least, from its end and commits that. QUIRE_NOT_FOUND:
 * nothing is left to be moved, or nothing can be. `report` may be null, and is stored then, too.
 * The file is cut when the last process closes it. */
QUIRE_API int quire_compact(quire_db* db, uint64_t step_bytes, quire_compact_report* report);

/* The write transaction. quire_begin waits for the running one, with a timeout for so long (0: not
 * at all; negative: for ever), then QUIRE_BUSY. */
QUIRE_API int quire_begin(quire_db* db, quire_txn** txn);
QUIRE_API int quire_begin_within(quire_db* db, int64_t timeout_nanoseconds, quire_txn** txn);

/* Both end the transaction, whatever they return, but on the thread that began it only: elsewhere
 * they change nothing, and the commit returns QUIRE_MISUSE. A thread that ends inside a transaction
 * rolls it back; nobody can end its handle then. After QUIRE_POISONED and QUIRE_IO it is
 * unknown whether the commit survives; after any other error nothing has happened. */
QUIRE_API int quire_commit(quire_txn* txn);
QUIRE_API void quire_rollback(quire_txn* txn);

/* As quire_commit, returning when the commit is visible. */
QUIRE_API int quire_commit_relaxed(quire_txn* txn);

/* A place in the transaction to go back to, as quire::Savepoint; they stand within each other.
 * quire_savepoint_rollback undoes everything since, and the savepoint stays open: release it then,
 * or go on. It is allowed after QUIRE_NO_SPACE, and makes the transaction usable again.
 * quire_savepoint_release keeps everything since; with QUIRE_OK it ends the handle. Both are
 * QUIRE_MISUSE once a savepoint around this one was released or rolled back: the handle has no
 * more use then, and is there until the transaction ends. What is open at the commit is kept. */
QUIRE_API int quire_savepoint_begin(quire_txn* txn, quire_savepoint** savepoint);
QUIRE_API int quire_savepoint_rollback(quire_savepoint* savepoint);
QUIRE_API int quire_savepoint_release(quire_savepoint* savepoint);

/* A table; no name ({NULL, 0}) is the default one. One that does not exist reads as empty, and the
 * first put creates it. Asked for again, the same handle comes back. */
QUIRE_API int quire_snapshot_table(quire_snapshot* snapshot, quire_bytes name, quire_table** table);
QUIRE_API int quire_txn_table(quire_txn* txn, quire_bytes name, quire_table** table);

/* Removes a named table or multimap; QUIRE_NOT_FOUND when it does not exist. */
QUIRE_API int quire_drop(quire_txn* txn, quire_bytes name);

/* The names of the named tables and multimaps, in order; the array belongs to the snapshot, or to
 * the transaction until it is asked again. */
QUIRE_API int quire_tables(quire_snapshot* snapshot, const quire_bytes** names, size_t* count);
QUIRE_API int quire_txn_tables(quire_txn* txn, const quire_bytes** names, size_t* count);

/* The value, or QUIRE_NOT_FOUND. One descent, no copy. */
QUIRE_API int quire_get(const quire_table* table, quire_bytes key, quire_bytes* value);

/* What quire_get gives for each key; {NULL, 0} where it is absent; after an error anything. Much
 * faster than one by one when the table is larger than the processor's caches. */
QUIRE_API int quire_get_many(const quire_table* table, const quire_bytes* keys, size_t count,
                             quire_bytes* values);

/* Number of entries; kept, not counted. */
QUIRE_API int quire_count(const quire_table* table, uint64_t* count);

/* About how many entries have first <= key < limit (null: no bound), from two descents; exact where
 * they are few. */
QUIRE_API int quire_estimate(const quire_table* table, const quire_bytes* first,
                             const quire_bytes* limit, uint64_t* count);

/* About the entry with `index` others before it, counted as quire_estimate does; exact where the
 * table is one page. `key` and `value` may be null. QUIRE_NOT_FOUND: there are not so many. */
QUIRE_API int quire_nth(const quire_table* table, uint64_t index, quire_bytes* key,
                        quire_bytes* value);

/* Up to `count` entries spread evenly, in order and each at most once, all where there are no more:
 * for cutting work into parts. Stored from the beginning of `keys` and `values`, of which either
 * may be null; `found` is how many. A descent for each. After an error they hold anything. */
QUIRE_API int quire_sample(const quire_table* table, size_t count, quire_bytes* keys,
                           quire_bytes* values, size_t* found);

/* Changes: of tables of a transaction; others are QUIRE_READ_ONLY. After QUIRE_NO_SPACE, QUIRE_IO,
 * QUIRE_CORRUPT, QUIRE_NO_MEMORY and QUIRE_UNEXPECTED the transaction can only be rolled back;
 * after QUIRE_NO_SPACE also to a savepoint. Of many puts in a row the later ones wait in memory:
 * the next call of any other kind may return what stopped one of them. */
QUIRE_API int quire_put(quire_table* table, quire_bytes key, quire_bytes value);
QUIRE_API int quire_insert(quire_table* table, quire_bytes key, quire_bytes value);
QUIRE_API int quire_erase(quire_table* table, quire_bytes key); /* or QUIRE_NOT_FOUND */
QUIRE_API int quire_clear(quire_table* table);

/* Removes the entries with first <= key < limit (null: no bound), or those that begin with
 * `prefix`, whole subtrees at once, and stores how many there were; `erased` may be null. */
QUIRE_API int quire_erase_range(quire_table* table, const quire_bytes* first,
                                const quire_bytes* limit, uint64_t* erased);
QUIRE_API int quire_erase_prefix(quire_table* table, quire_bytes prefix, uint64_t* erased);

/* Calls that look and change at once.
 *
 * quire_replace: only what is there, or QUIRE_NOT_FOUND.
 * quire_insert_or_get: stores the value that the key has afterwards; with QUIRE_EXISTS it is the
 * one that was there.
 * quire_take: erases, or QUIRE_NOT_FOUND; stores a copy of the value, which is valid until the next
 * quire_take of this table, or the end of the transaction.
 * quire_compare_and_swap: makes the value `desired` if it is `expected`, else QUIRE_DIFFERENT; null
 * stands for an absent key, both ways.
 * quire_add: adds to a counter, as quire::Table::add has them, an absent one being 0; `sum` may be
 * null. QUIRE_MISUSE, and nothing changes, where the value is none or the sum overflows. */
QUIRE_API int quire_replace(quire_table* table, quire_bytes key, quire_bytes value);
QUIRE_API int quire_insert_or_get(quire_table* table, quire_bytes key, quire_bytes value,
                                  quire_bytes* there);
QUIRE_API int quire_take(quire_table* table, quire_bytes key, quire_bytes* value);
QUIRE_API int quire_compare_and_swap(quire_table* table, quire_bytes key,
                                     const quire_bytes* expected, const quire_bytes* desired);
QUIRE_API int quire_add(quire_table* table, quire_bytes key, int64_t delta, int64_t* sum);

/* Large values (quire/value.h).
 *
 * quire_reserve: room in the file for a value of `size` bytes, for the caller to fill; nothing is
 * copied. All zeros at first, and what is not filled stays so. The next call on the transaction or
 * what belongs to it, its commit too, takes the value as it is then; from then on the room must not
 * be written to. */
QUIRE_API int quire_reserve(quire_table* table, quire_bytes key, uint64_t size, void** room);

/* A value of `size` bytes that comes in pieces, larger than memory if need be. Several may be on
 * their way in a transaction, and anything else be done meanwhile. The entry is there once
 * quire_value_writer_finish has returned QUIRE_OK; until then, and where that never happens, the
 * key has what it had. QUIRE_MISUSE: more bytes than are missing (none of them is written), a
 * finish while some are missing (they can still be written), and both once it is finished, was
 * given up by the rollback of a savepoint (whenever it was begun), or its transaction has ended.
 * quire_value_writer_close ends the handle, finished or not, on any thread; null is nothing to
 * close. */
QUIRE_API int quire_value_writer_begin(quire_table* table, quire_bytes key, uint64_t size,
                                       quire_value_writer** writer);
QUIRE_API int quire_value_writer_write(quire_value_writer* writer, quire_bytes bytes);
QUIRE_API int quire_value_writer_finish(quire_value_writer* writer);
QUIRE_API void quire_value_writer_close(quire_value_writer* writer);

/* A value in pieces of up to `size_max` bytes (0: 1 MiB), QUIRE_NOT_FOUND behind its end, by a
 * process that stays small: what was read is taken out of its memory again. In a transaction
 * QUIRE_MISUSE once the table has changed. With `verify`, QUIRE_CORRUPT for the last piece condemns
 * them all. quire_value_reader_begin: two descents, or QUIRE_NOT_FOUND; stores the value's size
 * (`size` may be null). Closed as a writer. */
QUIRE_API int quire_value_reader_begin(const quire_table* table, quire_bytes key, uint64_t* size,
                                       quire_value_reader** reader);
QUIRE_API int quire_value_reader_next(quire_value_reader* reader, size_t size_max,
                                      quire_bytes* piece);
QUIRE_API void quire_value_reader_close(quire_value_reader* reader);

/* Where in the file bytes stand that a table of the snapshot has given, or a part of them: for
 * sendfile, splice or copy_file_range, which are to be given the offset. The descriptor can only
 * read, and is the database's. QUIRE_MISUSE: they are not in the file. Otherwise as
 * quire::Snapshot::locate. */
typedef struct quire_location {
  uint64_t offset;
  uint64_t size;
  int descriptor;
  uint8_t zero[12]; /* for what later versions will say */
} quire_location;
QUIRE_API int quire_locate(const quire_snapshot* snapshot, quire_bytes bytes,
                           quire_location* location);

/* A multimap: each key has any number of different values, sorted (quire/multimap.h). One that does
 * not exist reads as empty, and the first insertion creates it. QUIRE_MISUSE for a table that is
 * none, as quire_..._table is for one that is; quire_..._is_multimap tells (or QUIRE_NOT_FOUND). */
QUIRE_API int quire_snapshot_multimap(quire_snapshot* snapshot, quire_bytes name,
                                      quire_multimap** multimap);
QUIRE_API int quire_txn_multimap(quire_txn* txn, quire_bytes name, quire_multimap** multimap);
QUIRE_API int quire_is_multimap(const quire_snapshot* snapshot, quire_bytes name);
QUIRE_API int quire_txn_is_multimap(quire_txn* txn, quire_bytes name);

/* How many values a key has, 0 when it is absent; how many pairs and different keys there are
 * (either may be null); kept, not counted. Whether the pair is there, or QUIRE_NOT_FOUND. */
QUIRE_API int quire_multimap_count(const quire_multimap* multimap, quire_bytes key,
                                   uint64_t* count);
QUIRE_API int quire_multimap_size(const quire_multimap* multimap, uint64_t* pairs, uint64_t* keys);
QUIRE_API int quire_multimap_contains(const quire_multimap* multimap, quire_bytes key,
                                      quire_bytes value);

/* Changes, as those of tables. A pair: or QUIRE_EXISTS, and QUIRE_NOT_FOUND. A key with all its
 * values: or QUIRE_NOT_FOUND; stores how many there were (`erased` may be null). */
QUIRE_API int quire_multimap_insert(quire_multimap* multimap, quire_bytes key, quire_bytes value);
QUIRE_API int quire_multimap_erase(quire_multimap* multimap, quire_bytes key, quire_bytes value);
QUIRE_API int quire_multimap_erase_key(quire_multimap* multimap, quire_bytes key, uint64_t* erased);
QUIRE_API int quire_multimap_clear(quire_multimap* multimap);

/* The keys with first <= key < limit (null: no bound), or that begin with `prefix`, with all their
 * values, whole subtrees at once; stores how many pairs there were (`erased` may be null). And
 * about how many such keys there are, as quire_estimate. */
QUIRE_API int quire_multimap_erase_range(quire_multimap* multimap, const quire_bytes* first,
                                         const quire_bytes* limit, uint64_t* erased);
QUIRE_API int quire_multimap_erase_prefix(quire_multimap* multimap, quire_bytes prefix,
                                          uint64_t* erased);
QUIRE_API int quire_multimap_estimate(const quire_multimap* multimap, const quire_bytes* first,
                                      const quire_bytes* limit, uint64_t* key_count);

/* Up to `count` keys, whatever values they have, as quire_sample. */
QUIRE_API int quire_multimap_sample(const quire_multimap* multimap, size_t count, quire_bytes* keys,
                                    size_t* found);

/* A cursor over the keys with first <= key < limit; null: no bound. Or over those that begin with
 * `prefix`. It ends with quire_cursor_close, which must come before its snapshot or transaction
 * ends. Once the table has changed by anything but the cursor itself, every other call with it is
 * QUIRE_MISUSE, wherever it stands. */
QUIRE_API int quire_cursor_range(const quire_table* table, const quire_bytes* first,
                                 const quire_bytes* limit, quire_cursor** cursor);
QUIRE_API int quire_cursor_prefix(const quire_table* table, quire_bytes prefix,
                                  quire_cursor** cursor);

/* The same over pairs of a multimap, ordered by key, then by value; and over those of one key, with
 * first <= value < limit. */
QUIRE_API int quire_cursor_pairs(const quire_multimap* multimap, const quire_bytes* first,
                                 const quire_bytes* limit, quire_cursor** cursor);
QUIRE_API int quire_cursor_pairs_prefix(const quire_multimap* multimap, quire_bytes prefix,
                                        quire_cursor** cursor);
QUIRE_API int quire_cursor_values(const quire_multimap* multimap, quire_bytes key,
                                  const quire_bytes* first, const quire_bytes* limit,
                                  quire_cursor** cursor);

/* Null is nothing to close. */
QUIRE_API void quire_cursor_close(quire_cursor* cursor);

/* Moves, and stores the entry there (`key` and `value` may be null). QUIRE_NOT_FOUND: there is
 * none, the cursor stands beyond its end, or before its beginning. A new cursor stands before the
 * beginning, so `while (quire_cursor_next(...) == QUIRE_OK)` sees every entry. */
QUIRE_API int quire_cursor_next(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);
QUIRE_API int quire_cursor_previous(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);
QUIRE_API int quire_cursor_first(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);
QUIRE_API int quire_cursor_last(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);

/* To the first entry of its range with a key >= `wanted`; over the values of one key, with a value
 * >= `wanted`. */
QUIRE_API int quire_cursor_seek(quire_cursor* cursor, quire_bytes wanted, quire_bytes* key,
                                quire_bytes* value);

/* Replace the value where a table's cursor stands, and erase the entry: the cursor stays valid, and
 * stands there still, or where the entry was, so that quire_cursor_next goes on with the one behind
 * it. QUIRE_MISUSE where it stands at no entry, or is one of a multimap. Two descents besides. */
QUIRE_API int quire_cursor_put(quire_cursor* cursor, quire_bytes value);
QUIRE_API int quire_cursor_erase(quire_cursor* cursor);

/* To the first pair of the next key: a descent, however many values are passed over. Of a table as
 * quire_cursor_next. */
QUIRE_API int quire_cursor_next_key(quire_cursor* cursor, quire_bytes* key, quire_bytes* value);

#ifdef __cplusplus
}
#endif
