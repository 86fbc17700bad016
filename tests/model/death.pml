// A writer is killed between any two stores, and whoever repairs what it left is killed as well
// (rules 11 and 12 of src/README.md; src/pages, txn/repair.cpp).
//
// Each transaction copies the root into a page that it takes (undo list, bit) and frees the old one
// (an entry of the ring behind the tail that `visible` names). A sweep releases entries that nobody
// reads, and parks those that a snapshot does: it moves them to a segment that belongs to the
// oldest such snapshot, where no sweep looks before that one is gone. Every store to the region is
// a step of its own, and `killer` may strike before each; the next writer begins with the repair.
//
// After each repair and each transaction every page must be in exactly one place: free, the root,
// or one entry; and what a snapshot reads is in use.
//
// Left out: runs of several pages and counts of free ones (hints, counted anew after a death), the
// doubling of ring and tables (nobody looks there before one store says so), the log, checkpoints
// (checkpoint.pml), and that killed processes hold locks (namespaces.pml).
//
//! HoldsAsDesigned
//! HoldsWithFourDeaths          -DKILLS=4 -DTXNS=3
//! FailsWithoutTheUndoId        -DNO_ID breaks=in_some_place
//! FailsWhenBitsComeFirst       -DBIT_FIRST breaks=in_some_place
//! FailsWithoutTheSweepMark     -DNO_MARK breaks=in_some_place
//! FailsWhenTheTailIsEager      -DEAGER_TAIL breaks=in_one_place
//! FailsWhenParkingHasNoMark    -DPARK_NO_MARK breaks=in_one_place
//! FailsWhenParkingEmptiesFirst -DPARK_EMPTY_FIRST breaks=in_some_place
//! FailsWhenTheTargetComesLast  -DTARGET_LAST breaks=pinned_is_kept
//! FailsWhenRepairKnowsNoTarget -DNO_TARGET breaks=in_some_place
//! FailsWhenPinsGoBeforeCounts  -DPIN_FIRST -DKILLS=1 breaks=segment_has_room
//! LongHoldsAsDesigned          -DKILLS=4 -DTXNS=5 -DPAGES=6
//
// NO_ID: the undo list of a transaction that did commit is applied.
// BIT_FIRST: a page is marked in use and on no list yet when its taker dies.
// NO_MARK: a bit is cleared, and its entry is released once more after the page was given away.
// EAGER_TAIL: the tail is a word of its own; frees of who never committed count.
// PARK_NO_MARK: the entry stands in both places, and is released twice.
// PARK_EMPTY_FIRST: it stands in none.
// TARGET_LAST: the repair takes an older move's target for this one's.
// NO_TARGET: the repair releases whatever is marked, also what a snapshot reads.
// PIN_FIRST: a segment without an owner whose places count as filled; its next owner fills places
// that it does not have.

#ifndef KILLS
#define KILLS 2
#endif
#ifndef TXNS
#define TXNS 4
#endif
#ifndef PAGES
#define PAGES 5         // numbered from 1; an entry with page 0 is empty
#endif
#define RING 4
#define SEGMENTS 2
#define PLACES 1        // of a segment
#define ENTRIES 6       // the ring's, then those of the segments

bool used[PAGES + 1];   // the bitmap
byte visible;
byte root[2], tail[2];  // state of transaction t in place t mod 2
byte eager_tail;
byte undo_txn, undo_count, undo[1];
byte mark;              // 1 + entry under way
byte target;            // while marked: 1 + entry that it moves to; 0 = it is released
byte head;
byte page[ENTRIES], pins[ENTRIES];
byte pin[SEGMENTS], count[SEGMENTS];

byte held = 3;          // snapshots that are open, one bit each
byte pins_of[PAGES + 1];  // snapshots that read a page that was freed
byte kills;
bool is_dead;
byte begun;

#ifdef EAGER_TAIL
#define TAIL eager_tail
#else
#define TAIL tail[visible % 2]
#endif
#define PLACE(segment) (RING + (segment) * PLACES + count[segment])

inline fill(to, from) {
  page[to] = page[from];
  pins[to] = pins[from];
  count[(to - RING) / PLACES] = (to - RING) % PLACES + 1
}

inline empty_entry(from) {
  d_step { page[from] = 0; pins[from] = 0 }
}

inline repair() {
  if
  :: mark != 0 ->
     if
#ifdef NO_TARGET
     :: page[mark - 1] != 0 -> used[page[mark - 1]] = false
#else
     :: target == 0 && page[mark - 1] != 0 -> used[page[mark - 1]] = false
     :: target != 0 && page[mark - 1] != 0 -> fill(target - 1, mark - 1)
#endif
     :: else
     fi;
     empty_entry(mark - 1);
     mark = 0
  :: else
  fi;
  if
#ifdef NO_ID
  :: undo_count > 0 ->
#else
  :: undo_count > 0 && undo_txn > visible ->
#endif
     used[undo[0]] = false
  :: else
  fi;
  undo_count = 0;
  check()
}

inline release(from) {
  target = 0;
#ifndef NO_MARK
  mark = from + 1;
#endif
  used[page[from]] = false;
  empty_entry(from);
  mark = 0
}

inline park(from, to) {
#ifdef TARGET_LAST
  mark = from + 1;
  target = to + 1;
#else
  target = to + 1;
#ifndef PARK_NO_MARK
  mark = from + 1;
#endif
#endif
#ifdef PARK_EMPTY_FIRST
  d_step { moved_page = page[from]; moved_pins = pins[from] }
  empty_entry(from);
  page[to] = moved_page;
  pins[to] = moved_pins;
  count[(to - RING) / PLACES] = (to - RING) % PLACES + 1;
  d_step { moved_page = 0; moved_pins = 0 }
#else
  fill(to, from);
  empty_entry(from);
#endif
  mark = 0
}

// Releases an entry, or parks it under the oldest snapshot that reads it.
inline settle(from) {
  d_step { owner = (pins[from] & seen); if :: owner == 3 -> owner = 1 :: else fi }
  if
  :: owner == 0 -> release(from)
  :: else ->
     d_step {
       s = 0;
       do
       :: s < SEGMENTS && !(pin[s] == owner && count[s] < PLACES) -> s++
       :: else -> break
       od;
       skip
     }
     if
     :: s == SEGMENTS ->
        d_step { s = 0; do :: s < SEGMENTS && pin[s] != 0 -> s++ :: else -> break od; skip }
        if :: s < SEGMENTS -> pin[s] = owner :: else fi
     :: else
     fi;
     if
     :: s < SEGMENTS ->
        assert(count[s] < PLACES);  //: segment_has_room
        place = PLACE(s);
        park(from, place)
     :: else  // no room: it stays where it is
     fi
  fi;
  d_step { owner = 0; s = 0; place = 0 }
}

inline release_segment(segment) {
#ifdef PIN_FIRST
  pin[segment] = 0;
  count[segment] = 0
#else
  count[segment] = 0;
  pin[segment] = 0
#endif
}

inline sweep() {
  seen = held;
  i = 0;
  do
  :: i < SEGMENTS ->
     if
     :: pin[i] != 0 && (pin[i] & seen) == 0 ->
        if :: count[i] > 0 && page[RING + i] != 0 -> settle(RING + i) :: else fi;
        if :: page[RING + i] == 0 -> release_segment(i) :: else fi
     :: else
     fi;
     i++
  :: else -> break
  od;
  i = head;
  do
  :: i < TAIL ->
     if :: page[i % RING] != 0 -> settle(i % RING) :: else fi;
     i++
  :: else -> break
  od;
  i = head;
  d_step {
    do :: i < TAIL && page[i % RING] == 0 -> i++ :: else -> break od;
    skip
  }
  head = i;
  d_step { i = 0; seen = 0 }
}

inline check() {
  d_step {
    i = 1;
    do
    :: i <= PAGES ->
       n = (root[visible % 2] == i -> 1 : 0);
       s = head;
       do
       :: s < TAIL -> if :: page[s % RING] == i -> n++ :: else fi; s++
       :: else -> break
       od;
       s = 0;
       do
       :: s < SEGMENTS ->
          if :: pin[s] != 0 && count[s] > 0 && page[RING + s] == i -> n++ :: else fi;
          s++
       :: else -> break
       od;
       assert(n <= 1);  //: in_one_place
       assert(used[i] == (n == 1));  //: in_some_place
       assert((pins_of[i] & held) == 0 || used[i]);  //: pinned_is_kept
       i++
    :: else -> break
    od;
    i = 0; n = 0; s = 0
  }
}

inline transaction() {
  undo_count = 0;
  undo_txn = visible + 1;
  do :: sweep() :: break od;
  i = 1;
  d_step { do :: i <= PAGES && used[i] -> i++ :: else -> break od; skip }
  if
  :: i <= PAGES && TAIL - head < RING ->
     d_step { taken = i; i = 0 }
#ifdef BIT_FIRST
     used[taken] = true;
#endif
     undo[0] = taken;
     undo_count = 1;
     used[taken] = true;
     // The old root; void until the tail behind it is named.
     d_step { page[TAIL % RING] = root[visible % 2]; pins[TAIL % RING] = held }
     if :: pins[TAIL % RING] = 0 :: pins[TAIL % RING] = pins[TAIL % RING] & 1 :: skip fi;
#ifdef EAGER_TAIL
     eager_tail++;
#endif
     if
     :: repair()  // rolled back
     :: d_step {
          root[(visible + 1) % 2] = taken;
          tail[(visible + 1) % 2] = tail[visible % 2] + 1
        }
        d_step {
          pins_of[root[visible % 2]] = pins[tail[visible % 2] % RING];
          pins_of[taken] = 0;
          visible = visible + 1
        }
        undo_count = 0
     fi
  :: else -> i = 0; repair()
  fi;
  taken = 0;
  check()
}

proctype writer() {
  byte i, s, n, owner, place, seen, taken, moved_page, moved_pins;
  do
  :: {
       repair();
       do
       :: begun < TXNS -> begun++; transaction()
       :: else -> break
       od;
       break
     } unless { is_dead }
     d_step {
       is_dead = false;
       i = 0; s = 0; n = 0; owner = 0; place = 0; seen = 0;
       taken = 0; moved_page = 0; moved_pins = 0
     }
  od
}

proctype killer() {
end:
  do :: atomic { kills < KILLS && !is_dead -> kills++; is_dead = true } od
}

// A snapshot that ends does so for good: new ones begin at P, beyond the life of any entry.
proctype reader() {
  held = held & 2;
  held = 0
}

init {
  d_step { used[1] = true; root[0] = 1 }
  atomic { run writer(); run killer(); run reader() }
}
