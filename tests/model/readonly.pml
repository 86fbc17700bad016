// Pins of a process that may only read (rule 1 of src/README.md; shared/pins.h, txn/viewer.cpp).
//
// It cannot take a reader slot, so it locks, shared, a byte of the data file for the state that it
// reads. While others are attached it pins what they have published, as a slot does: P, the byte,
// P again. While nobody is, it makes of the file what recovery would make of it, in its own memory;
// for that it pins the checkpoint and the last transaction in the log, and looks once more whether
// all is as it was: nobody has attached, and the meta is the same.
//
// Every transaction writes a new root page and a new large value. The log names values, so what is
// recovered reads the last value in its place, and the checkpoint's root. A reader of a region
// never gets an older state than could be read when it began.
//
// Whoever opens the file anew knows of no births and frees before the checkpoint. Where it finds
// pins at other states, pages that the checkpoint does not need are free only when those are gone.
//
// Left out: store buffers (a lock is a system call), crashes and what is on disk (recovery.pml); K.
//
//! HoldsAsDesigned
//! FailsWithoutReadingPAgain     -DNOT_READ_AGAIN breaks=root_is_intact
//! FailsWhenSweepsDoNotAsk       -DNOT_ASKED breaks=value_is_intact
//! FailsWhenPIsReadAfterThePins  -DP_READ_LAST breaks=root_is_intact
//! FailsWhenRecoveryIgnoresPins  -DPINS_IGNORED breaks=value_is_intact
//! FailsWhenTheLastIsNotPinned   -DNO_PIN_OF_THE_LAST -DTXNS=5 breaks=value_is_intact
//! FailsWhenNobodyLooksAgain     -DNOT_LOOKED_AGAIN breaks=value_is_intact
//! FailsWhenPinsAreAskedTooEarly -DASKED_FIRST -DREADY_NOT_ASKED breaks=never_older
//! FailsWhenAnOlderStateIsTaken  -DOLDER_NOT_REFUSED breaks=never_older
//! LongHoldsAsDesigned           -DTXNS=6 -DLIVES=4 -DREADS=2
//
// NO_PIN_OF_THE_LAST: a value that the log names is freed by a transaction that comes after the
// replay, so the checkpoint does not lie in its life.
// ASKED_FIRST, READY_NOT_ASKED: the opener asks for pins and clears the region then; a reader finds
// the same P in between, and does not ask whether the region is in use.
// OLDER_NOT_REFUSED: all die, and P is read while the next one recovers, which has ended by
// the time that the reader asks whether the region is in use.

#ifndef TXNS
#define TXNS 4          // the newest transaction
#endif
#ifndef LIVES
#define LIVES 3         // times that the file is opened for writing
#endif
#ifndef READS
#define READS 1
#endif
#define PAGES 7
#define IDS (TXNS + 2)

// --- the file
byte content[PAGES];    // birth of what the page holds
byte root[IDS], value[IDS];  // pages of each state; what the log and the metas say
byte checkpoint = 1;    // in both metas
byte logged = 1;        // newest transaction in the log

// --- locks on it
#define NOBODY 0
#define SOME 1
#define ALONE 2
byte attached;
byte pinned;            // a bit for each state
bool all_pinned;        // those from the checkpoint on, while recovering into memory

// --- the region
bool is_ready;
byte visible, published;
byte shown;             // newest state that anybody could have read
bool is_free[PAGES];
bool is_value[PAGES];
byte birth[PAGES], freed[PAGES];  // freed 0: in use, or free

// Some pinned state in [from, to).
#define MASK(from, to) (((1 << (to)) - 1) & ~((1 << (from)) - 1))
#ifdef NOT_ASKED
#define IS_KEPT(page) false
#else
#define IS_KEPT(page) ((seen & MASK(birth[page], freed[page])) != 0)
#endif
#define PINS_NOW (all_pinned -> pinned | 252 & MASK(checkpoint, 8) : pinned)

inline sweep() {
#ifdef P_READ_LAST
  seen = PINS_NOW;
  p = published;
#else
  p = published;
  seen = PINS_NOW;
#endif
  d_step {
    i = 0;
    do
    :: i < PAGES ->
       if
       :: freed[i] != 0 && freed[i] <= p && !IS_KEPT(i) &&
          (!is_value[i] || birth[i] <= checkpoint) &&
          !(birth[i] <= checkpoint && checkpoint < freed[i]) -> freed[i] = 0; is_free[i] = true
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0; p = 0; seen = 0
  }
}

inline take(page) {
  page = 0;
  do :: page < PAGES && !is_free[page] -> page++ :: else -> break od
}

// Commits `t`: a new root, and the value in a page of its own or where `kept` has it.
inline commit(t, kept) {
  d_step {
    freed[root[visible]] = t;
    root[t] = new_root;
    is_free[new_root] = false; birth[new_root] = t; freed[new_root] = 0; content[new_root] = t;
    is_value[new_root] = false;
    if
    :: kept != 0 -> value[t] = value[kept]
    :: else ->
       freed[value[visible]] = t;
       value[t] = new_value;
       is_free[new_value] = false; birth[new_value] = t; freed[new_value] = 0;
       content[new_value] = t; is_value[new_value] = true
    fi
  }
}

proctype writers() {
  byte lives, i, p, seen, new_root, new_value, t;
  do
  :: lives < LIVES ->
     lives++;
     atomic { attached == NOBODY -> attached = ALONE }
     // A new region: all is free but what the checkpoint needs, and values that the log names.
#ifdef ASKED_FIRST
     seen = PINS_NOW & ~(1 << checkpoint);
#endif
     d_step {
       is_ready = false;
       visible = checkpoint; published = checkpoint;
       i = 0;
       do
       :: i < PAGES -> is_free[i] = true; birth[i] = 0; freed[i] = 0; is_value[i] = false; i++
       :: else -> break
       od;
       is_free[root[checkpoint]] = false; birth[root[checkpoint]] = checkpoint;
       t = checkpoint;
       do
       :: t <= logged ->
          is_free[value[t]] = false; birth[value[t]] = t; is_value[value[t]] = true;
          if :: t > checkpoint -> freed[value[t - 1]] = logged + 1 :: else fi;
          t++
       :: else -> break
       od;
       birth[value[checkpoint]] = 1; freed[value[logged]] = 0;
       i = 0; t = 0
     }
#ifndef ASKED_FIRST
     seen = PINS_NOW & ~(1 << checkpoint);
#endif
     d_step {
#ifndef PINS_IGNORED
       if
       :: seen != 0 ->
          i = 0;
          do
          :: i < PAGES ->
             if
             :: is_free[i] ->
                is_free[i] = false;
                freed[i] = (logged > checkpoint -> logged + 1 : checkpoint)
             :: else
             fi;
             i++
          :: else -> break
          od
       :: else
       fi;
#endif
       i = 0; seen = 0
     }
     if
     :: logged > checkpoint ->
        // One transaction replays the log, and is a checkpoint. The file grows for it if need be.
        if
        :: logged < TXNS -> take(new_root)
        :: else -> new_root = PAGES
        fi;
        if
        :: new_root < PAGES ->
           t = logged + 1;
           commit(t, logged);
           d_step { visible = t; logged = t; t = 0 }
           checkpoint = visible;
           published = visible
        :: else -> goto left  // no room in this little file: leave it as it is
        fi
     :: else
     fi;
     is_ready = true;
     attached = SOME;
     do
     :: visible < TXNS ->
        do :: sweep() :: break od;
        take(new_root);
        if
        :: new_root < PAGES ->
           is_free[new_root] = false;
           take(new_value);
           if
           :: new_value < PAGES ->
              t = visible + 1;
              commit(t, 0);
              logged = t;
              visible = t;
              if
              :: checkpoint = visible; atomic { published = visible; shown = published }
              :: skip
              fi
           :: else -> is_free[new_root] = true; break
           fi
        :: else -> break
        fi;
        d_step { t = 0; new_root = 0; new_value = 0 }
     :: break
     od;
left:
     atomic { t = 0; new_root = 0; new_value = 0 }
     // The last one closes, or is killed.
     if
     :: is_ready -> atomic { attached = ALONE; is_ready = false; checkpoint = visible }
     :: skip
     fi;
     attached = NOBODY
  :: else -> break
  od
}

proctype leader() {
end:
  do :: atomic { is_ready && published < visible -> published = visible; shown = published } od
}

proctype reader() {
  byte count, p, c, last, least;
  do
  :: count < READS ->
     count++;
again:
     if
     :: atomic { attached == SOME -> least = shown }
        p = published;
repeat:
        pinned = 1 << p;
#ifndef NOT_READ_AGAIN
        if :: published != p -> p = published; goto repeat :: else fi;
#endif
#ifndef READY_NOT_ASKED
        if :: !(attached == SOME && is_ready) -> pinned = 0; goto again :: else fi;
#endif
#ifndef OLDER_NOT_REFUSED
        if :: checkpoint > p -> pinned = 0; goto again :: else fi;
#endif
        assert(p >= least);  //: never_older
        assert(content[root[p]] == p);  //: root_is_intact
        assert(content[value[p]] <= p && content[value[p]] > 0);  //: value_is_intact
        d_step { c = value[p]; last = content[value[p]] }
        assert(content[c] == last)  //: log_is_intact
     :: atomic { attached == NOBODY -> skip }
        c = checkpoint;
        all_pinned = true;
        last = logged;
        p = content[value[last]];
        d_step {
#ifdef NO_PIN_OF_THE_LAST
          pinned = 1 << c;
#else
          pinned = 1 << c | 1 << last;
#endif
          all_pinned = false
        }
#ifndef NOT_LOOKED_AGAIN
        if :: attached != NOBODY || checkpoint != c -> pinned = 0; goto again :: else fi;
#endif
        assert(content[root[c]] == c);  //: root_is_intact
        assert(content[value[last]] == p)  //: value_is_intact
     :: atomic { attached == ALONE -> skip }
        attached != ALONE;
        goto again
     fi;
     pinned = 0;
     d_step { p = 0; c = 0; last = 0; least = 0 }
  :: else -> break
  od
}

init {
  d_step {
    content[0] = 1; content[1] = 1; root[1] = 0; value[1] = 1
  }
  atomic { run writers(); run leader(); run reader() }
}
