// The file of recovery.pml: its pages in the page cache and on the disk, flushes, and power cuts.
//
// The system may write a dirty page at any time. That matters only when the page is written over,
// or at a power cut, so it is decided there. A cut page is old, new or torn, but every byte is old
// or new: what was the same in both stays. A flush that fails leaves each of its pages written or
// not, and all of them clean; each description of the file that was open at the time hears of it
// once.

// --- the file: what the cache holds, what the disk holds, and whether they may differ
byte page[PAGES], page_disk[PAGES];
bool page_dirty[PAGES];
byte record[STAMPS], record_disk[STAMPS];  // by position; one page of the file
bool log_dirty;
byte values, values_disk, values_dirty;    // large values, a bit for the stamp that names each
int meta[2], meta_disk[2];                 // 0 = torn
bool meta_dirty[2];

#define META(seq, number, epoch, stamp, root, start, clean) \
  ((seq) << 20 | (number) << 16 | (epoch) << 12 | (stamp) << 8 | (root) << 5 | (start) << 1 | clean)
#define SEQ(m) ((m) >> 20)
#define NUMBER(m) ((m) >> 16 & 15)
#define EPOCH(m) ((m) >> 12 & 15)
#define STAMP(m) ((m) >> 8 & 15)
#define ROOT(m) ((m) >> 5 & 7)
#define START(m) ((m) >> 1 & 15)
#define CLEAN(m) ((m) & 1)
#define SEQ_ONE (1 << 20)
#define NEWEST (SEQ(meta[1]) > SEQ(meta[0]) -> 1 : 0)

// A failed flush is reported once to each description of the file that was open at the time: bits
// of the processes whose description for the log, and for all else, will hear of it.
byte untold_log, untold_pages;
#define EVERYBODY (1 << WRITER | 1 << LEADER | 1 << CHECKPOINTER | 1 << OPENER)

inline store_page(i, stamp) {
  atomic {
    if :: page_dirty[i] -> page_disk[i] = page[i] :: skip fi;
    page[i] = stamp;
    page_dirty[i] = true
  }
}

inline store_record(at, stamp) {
  atomic {
    if :: log_dirty -> write_log() :: skip fi;
    record[at] = stamp;
    log_dirty = true
  }
}

inline store_meta(slot, m) {
  atomic {
    if :: meta_dirty[slot] -> meta_disk[slot] = meta[slot] :: skip fi;
    meta[slot] = m;
    meta_dirty[slot] = true
  }
}

inline write_log() {
  d_step {
    x = 0;
    do :: x < STAMPS -> record_disk[x] = record[x]; x++ :: else -> break od;
    x = 0
  }
}

inline hear(untold, ok) {
  ok = ((untold & (1 << me)) == 0);
  untold = untold & ~(1 << me)
}

inline fail_flush() {
  failures++;
  untold_log = EVERYBODY;
  untold_pages = EVERYBODY
}

inline write_values() {
  values_disk = values_disk & ~values_dirty | values & values_dirty;
  values_dirty = 0
}

// Values before the records that name them.
inline flush_log(ok) {
  if
  :: atomic { write_values(); hear(untold_log, ok) }
  :: atomic { failures < FAILURES -> fail_flush(); values_dirty = 0; hear(untold_log, ok) }
  fi;
  if
  :: !ok
  :: atomic {
       ok ->
       if :: log_dirty -> write_log() :: else fi;
       log_dirty = false;
       hear(untold_log, ok)
     }
  :: atomic {
       ok && failures < FAILURES -> fail_flush();
       log_dirty = false;
       hear(untold_log, ok)
     }
  fi
}

inline flush_meta(slot, ok) {
  if
  :: d_step {
       if :: meta_dirty[slot] -> meta_disk[slot] = meta[slot] :: else fi;
       meta_dirty[slot] = false;
       hear(untold_pages, ok)
     }
  :: d_step {
       failures < FAILURES -> fail_flush();
       meta_dirty[slot] = false;
       hear(untold_pages, ok)
     }
  fi
}

inline flush_all(ok) {
  if
  :: atomic {
       x = 0;
       do
       :: x < PAGES ->
          if :: page_dirty[x] -> page_disk[x] = page[x]; page_dirty[x] = false :: else fi;
          x++
       :: else -> break
       od;
       if :: log_dirty -> write_log(); log_dirty = false :: else fi;
       if :: meta_dirty[0] -> meta_disk[0] = meta[0]; meta_dirty[0] = false :: else fi;
       if :: meta_dirty[1] -> meta_disk[1] = meta[1]; meta_dirty[1] = false :: else fi;
       write_values();
       x = 0;
       hear(untold_pages, ok)
     }
  :: atomic {
       failures < FAILURES -> fail_flush();
       x = 0;
       do
       :: x < PAGES ->
          if :: page_dirty[x] -> page_disk[x] = page[x] :: skip fi;
          page_dirty[x] = false; x++
       :: else -> break
       od;
       if :: log_dirty -> write_log() :: skip fi;
       if :: meta_dirty[0] -> meta_disk[0] = meta[0] :: skip fi;
       if :: meta_dirty[1] -> meta_disk[1] = meta[1] :: skip fi;
       log_dirty = false; meta_dirty[0] = false; meta_dirty[1] = false;
       if :: write_values() :: values_dirty = 0 fi;
       x = 0;
       hear(untold_pages, ok)
     }
  fi
}

inline redirty_all() {
  d_step {
    x = 0;
    do :: x < PAGES -> page_dirty[x] = true; x++ :: else -> break od;
    log_dirty = true; meta_dirty[0] = true; meta_dirty[1] = true;
    values_dirty = values;
    x = 0
  }
}

// What a flush of the log would cover; what is clean and not on disk is written again.
inline redirty_log() {
  d_step { log_dirty = true; values_dirty = values }
}

inline drop_cache() {
  d_step {
    x = 0;
    do :: x < PAGES -> page[x] = page_disk[x]; page_dirty[x] = false; x++ :: else -> break od;
    x = 0;
    do :: x < STAMPS -> record[x] = record_disk[x]; x++ :: else -> break od;
    meta[0] = meta_disk[0]; meta[1] = meta_disk[1];
    values = values_disk; values_dirty = 0;
    log_dirty = false; meta_dirty[0] = false; meta_dirty[1] = false;
    x = 0
  }
}

// Each dirty page is old, new or torn: every byte is old or new, so what was the same stays. In the
// log that goes for each record.
inline cut_power() {
  x = 0;
  do
  :: x < PAGES ->
     if
     :: page_dirty[x] && page[x] != page_disk[x] -> page_disk[x] = page[x]
     :: page_dirty[x] && page[x] != page_disk[x] -> page_disk[x] = 0
     :: skip
     fi;
     x++
  :: else -> break
  od;
  x = 0;
  do
  :: x < STAMPS ->
     if :: log_dirty && record[x] != record_disk[x] -> record_disk[x] = record[x] :: skip fi;
     x++
  :: else -> break
  od;
  x = 0;
  do
  :: x < 2 ->
     if
     :: meta_dirty[x] && meta[x] != meta_disk[x] -> meta_disk[x] = meta[x]
     :: meta_dirty[x] && meta[x] != meta_disk[x] -> meta_disk[x] = 0
     :: skip
     fi;
     x++
  :: else -> break
  od;
  if :: values_dirty != 0 -> write_values() :: skip fi;
  drop_cache();
  poisoned = false; flush_intent = false; checkpoint_intent = false
}
