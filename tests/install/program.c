/* The same in C. */
#include <quire/c.h>

#include <stdio.h>
#include <stdlib.h>

static void require(int code) {
  if (code == QUIRE_OK) return;
  fprintf(stderr, "%s\n", quire_message());
  exit(1);
}

int main(void) {
  quire_db* db;
  quire_txn* txn;
  quire_snapshot* now;
  quire_table* people;
  quire_cursor* cursor;
  quire_bytes key, value;

  require(quire_open("people.quire", NULL, &db));
  require(quire_begin(db, &txn));
  require(quire_txn_table(txn, quire_text("people"), &people));
  require(quire_put(people, quire_text("ada"), quire_text("Ada Lovelace")));
  require(quire_put(people, quire_text("alan"), quire_text("Alan Turing")));
  require(quire_commit(txn));

  require(quire_snapshot_begin(db, &now));
  require(quire_snapshot_table(now, quire_text("people"), &people));
  require(quire_cursor_range(people, NULL, NULL, &cursor));
  while (quire_cursor_next(cursor, &key, &value) == QUIRE_OK) {
    printf("%.*s: %.*s\n", (int)key.size, (const char*)key.data, (int)value.size,
           (const char*)value.data);
  }
  quire_cursor_close(cursor);
  quire_snapshot_end(now);
  quire_close(db);
  return 0;
}
