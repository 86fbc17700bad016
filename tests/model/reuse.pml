// When a page that no newer state uses may be written again (rules 1, 8 and 10 of src/README.md).
//
// A tree has two pages here. Each transaction writes a copy of one of them into a free page and
// names the copy in its state; the page that was copied has then lived [birth, freed). A reader
// finds the wrong contents if its page was given to somebody else.
//
// What makes this hard: states become visible to the next writer first and are published to readers
// later, by anybody who flushes (`leader`), so a reader may still begin at a state that the writer
// has left long ago. And a reader's slot is stored into the store buffer of its processor, from
// where it reaches memory when the processor likes (x86 and every other machine in use; `buffer`).
//
// Left out: what is on disk (recovery.pml), death (death.pml), the waiting of committers
// (flush.pml), several writers (they would hold the lock in turns, and a mutex empties the store
// buffer of who takes it). Leaders raise P by compare-and-swap, which empties theirs.
//
//! HoldsAsDesigned
//! HoldsWithACheckpoint          -DTXNS=4 -DCHECKPOINTS=1
//! HoldsWithTwoLeaders           -DTXNS=4 -DLEADERS=2 -DREADS=1
//! HoldsWithRelaxedCommits       -DTXNS=4 -DRELAXED
//! FailsWhenPinsAloneDecide      -DPINS_ALONE breaks=page_is_intact
//! FailsWithoutTheFence          -DNO_FENCE breaks=page_is_intact
//! FailsWithoutReadingPAgain     -DNOT_READ_AGAIN breaks=page_is_intact
//! FailsWhenPIsReadAfterTheSlots -DP_READ_LAST breaks=page_is_intact
//! FailsWhenPIsStoredPlainly     -DPLAIN_STORE -DTXNS=4 -DLEADERS=2 breaks=page_is_intact
//! FailsWhenCIsReadBeforeK       -DC_READ_FIRST -DTXNS=4 -DCHECKPOINTS=1 breaks=checkpoint_is_kept
//! FailsWithoutTheSequenceWord   -DNO_SEQUENCE breaks=born_before
//! FailsWhenRelaxedCommitsRush   -DRUSH -DTXNS=4 -DRELAXED breaks=published_is_flushed
//! LongHoldsAsDesigned           -DTXNS=6 -DREADS=3
//! LongHoldsWithACheckpoint      -DCHECKPOINTS=1
//! LongHoldsWithTwoLeaders       -DLEADERS=2
//! LongHoldsWithRelaxedCommits   -DRELAXED -DCHECKPOINTS=1 -DTXNS=4
//
// PINS_ALONE: a page is free when none of C, K, P, V and the slots lies in its life. A state
// between P and V is then nobody's pin, but may be published and registered a moment later.
// NO_FENCE: P is read again while the slot is still in the store buffer: nobody has seen it.
// P_READ_LAST: a reader registers behind the scan's back, then P moves beyond its state.
// PLAIN_STORE: a leader that was overtaken takes P back, to a state that was given up already.
// C_READ_FIRST: the checkpoint ends in between: its state is neither K nor the C that was read.
// NO_SEQUENCE: a record that was overwritten while it was copied is taken for the one registered.
// RUSH: a relaxed commit publishes itself over a full commit that no flush has covered yet.

#ifndef TXNS
#define TXNS 5          // the newest transaction
#endif
#ifndef READS
#define READS 2         // snapshots that the reader takes
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 0
#endif
#ifndef LEADERS
#define LEADERS 1
#endif
#define PAGES 5
#ifndef RECORDS
#define RECORDS 4       // recent states kept: transaction t in record t mod RECORDS
#endif

byte visible = 1;       // V
byte published = 1;     // P
byte checkpoint = 1;    // C
byte pending = 0;       // K; 0 = none
byte flushed = 1;       // what flushes have covered; nobody reads it but the assertions
bool is_locked;         // the writer lock

byte content[PAGES];    // birth of what the page holds
byte freed[PAGES];      // transaction that stopped using it; 0 = in use, or free
bool is_free[PAGES];

typedef Record { byte sequence; byte page[2]; byte birth[2]; byte newest_full };
Record state[RECORDS];
byte c_page[2], k_page[2];  // pages of the states C and K

byte slot;              // the reader's, in memory
chan buffer = [2] of { byte };  // its stores that are still on their way there

#define LIVES(page, t) (content[page] <= t && t < freed[page])
#ifdef PINS_ALONE
#define MAY_REUSE(page) (!LIVES(page, p) && !LIVES(page, visible))
#else
#define MAY_REUSE(page) (freed[page] <= p)
#endif

// The leader's compare-and-swap to the maximum.
inline raise_published(value) {
  d_step { if :: published < value -> published = value :: else fi }
}

inline sweep() {
#ifndef P_READ_LAST
  p = published;
#endif
#ifdef C_READ_FIRST
  c = checkpoint;
  k = pending;
#else
  k = pending;
  c = checkpoint;
#endif
  s = slot;
#ifdef P_READ_LAST
  p = published;
#endif
  d_step {
    i = 0;
    do
    :: i < PAGES ->
       if
       :: freed[i] != 0 && MAY_REUSE(i) && !LIVES(i, k) && !LIVES(i, c) && !LIVES(i, s) ->
          freed[i] = 0; is_free[i] = true
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0; p = 0; k = 0; c = 0; s = 0
  }
}

proctype writer() {
  byte t, i, p, k, c, s, which, base_full;
  do
  :: visible < TXNS ->
     atomic { !is_locked -> is_locked = true; t = visible + 1 }
     // A record that a reader may yet begin at is not overwritten: wait for the flush.
     published + RECORDS > t;
     do :: sweep() :: break od;
     atomic {
       if :: which = 0 :: which = 1 fi;
       i = 0;
       do :: i < PAGES && !is_free[i] -> i++ :: else -> break od;
       if
       :: i == PAGES -> is_locked = false; goto ended
       :: else
       fi;
       assert(i != c_page[0] && i != c_page[1]);  //: checkpoint_is_kept
       assert(pending == 0 || (i != k_page[0] && i != k_page[1]));  //: checkpoint_is_kept
       is_free[i] = false; content[i] = t
     }
     state[t % RECORDS].sequence = 0;
     d_step {
       base_full = state[visible % RECORDS].newest_full;
       state[t % RECORDS].page[which] = i;
       state[t % RECORDS].birth[which] = t;
       state[t % RECORDS].page[1 - which] = state[visible % RECORDS].page[1 - which];
       state[t % RECORDS].birth[1 - which] = state[visible % RECORDS].birth[1 - which];
       state[t % RECORDS].newest_full = t
     }
#ifdef RELAXED
     if :: state[t % RECORDS].newest_full = base_full :: skip fi;
#endif
     state[t % RECORDS].sequence = t;
     atomic {
       freed[state[visible % RECORDS].page[which]] = t;
       visible = t; is_locked = false
     }
#ifdef RELAXED
     if
#ifdef RUSH
     :: state[t % RECORDS].newest_full != t -> raise_published(t)
#else
     :: state[t % RECORDS].newest_full != t && published >= base_full -> raise_published(t)
#endif
     :: else
     fi;
#endif
ended:
     atomic { i = 0; t = 0; which = 0; base_full = 0 }
  :: else -> break
  od
}

proctype leader() {
  byte target;
end:
  do
  :: visible > published ->
     target = visible;
     d_step { if :: flushed < target -> flushed = target :: else fi }
#ifdef PLAIN_STORE
     if :: published < target -> published = target :: else fi;
#else
     raise_published(target);
#endif
     target = 0
  od
}

proctype checkpointer() {
  byte count;
  do
  :: count < CHECKPOINTS ->
     count++;
     atomic {
       !is_locked && visible > checkpoint ->
       pending = visible;
       k_page[0] = state[visible % RECORDS].page[0];
       k_page[1] = state[visible % RECORDS].page[1]
     }
     d_step { checkpoint = pending; c_page[0] = k_page[0]; c_page[1] = k_page[1] }
     d_step { pending = 0; k_page[0] = 0; k_page[1] = 0 }
  :: else -> break
  od
}

proctype reader() {
  byte p, count, page[2], birth[2];
  do
  :: count < READS ->
     count++;
     p = published;
again:
     buffer!p;
#ifndef NO_FENCE
     empty(buffer);  // the fence: goes on when the buffer has drained
#endif
#ifndef NOT_READ_AGAIN
     if :: published != p -> p = published; goto again :: else fi;
#endif
#ifndef NO_SEQUENCE
     if :: state[p % RECORDS].sequence != p -> p = published; goto again :: else fi;
#endif
     page[0] = state[p % RECORDS].page[0]; birth[0] = state[p % RECORDS].birth[0];
     d_step { page[1] = state[p % RECORDS].page[1]; birth[1] = state[p % RECORDS].birth[1] }
#ifndef NO_SEQUENCE
     if :: state[p % RECORDS].sequence != p -> p = published; goto again :: else fi;
#endif
     assert(state[p % RECORDS].sequence != p ||
            state[p % RECORDS].newest_full <= flushed);  //: published_is_flushed
     assert(birth[0] <= p && birth[1] <= p);  //: born_before
     assert(content[page[0]] == birth[0]);  //: page_is_intact
     assert(content[page[1]] == birth[1]);  //: page_is_intact
     buffer!0;
     d_step { p = 0; page[0] = 0; page[1] = 0; birth[0] = 0; birth[1] = 0 }
  :: else -> break
  od
}

proctype memory() {
end:
  do :: buffer?slot od
}

init {
  d_step {
    content[0] = 1; content[1] = 1;
    is_free[2] = true; is_free[3] = true; is_free[4] = true;
    state[1].sequence = 1; state[1].newest_full = 1;
    state[1].page[1] = 1; state[1].birth[0] = 1; state[1].birth[1] = 1;
    c_page[1] = 1
  }
  atomic {
    run memory(); run writer(); run reader(); run checkpointer(); run leader();
    if :: LEADERS == 2 -> run leader() :: else fi
  }
}
