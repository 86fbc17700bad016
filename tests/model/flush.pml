// One flush for everybody: leaders, followers, and the word they sleep on (rule 10 of
// src/README.md; txn/flush.cpp, shared/event.h).
//
// Every committer wants D to reach its commit. Who gets the flush lock leads: it takes all that is
// visible, flushes it, raises P, then D, and signals. The others sleep on the event word: its
// lowest bit says that somebody sleeps, the rest counts signals. A sleeper remembers the count,
// looks whether D has come, sets the bit if the count is still the one it saw, and lets the system
// put it to sleep if the word is still that. A signal counts, clears the bit, and calls the system
// only when the bit was set.
//
// Sleeps have a limit, which hides mistakes; here they have none, so a wake-up that is lost leaves
// somebody stuck. Only where leaders are killed, who wake nobody, the limit is there (`timeout`).
//
// Left out: what flushes do (recovery.pml), the wait for company before a flush (it delays only).
//
//! HoldsAsDesigned
//! HoldsWithManyCommits           -DCOMMITTERS=2 -DROUNDS=3
//! HoldsWhenALeaderIsOvertaken    -DOVERTAKING
//! HoldsWhenLeadersAreKilled      -DKILLS=2 -DOVERTAKING -DCOMMITTERS=2 -DROUNDS=2
//! FailsWhenTheBitIsNotSet        -DNO_BIT breaks=stuck
//! FailsWhenTheCountIsNotCompared -DNO_COMPARE breaks=stuck
//! FailsWhenSignalsDoNotCount     -DNO_COUNT breaks=stuck
//! FailsWhenSignalledBeforeD      -DSIGNAL_BEFORE_D breaks=stuck
//! FailsWhenSignalledUnderTheLock -DSIGNAL_UNDER_LOCK breaks=stuck
//! FailsWhenDIsRaisedBeforeP      -DD_BEFORE_P breaks=returned_is_published
//! FailsWhenPIsStoredPlainly      -DPLAIN_STORE -DOVERTAKING breaks=returned_is_published
//! FailsWithoutALimitWhenKilled   -DKILLS=1 -DNO_LIMIT breaks=stuck
//! LongHoldsAsDesigned            -DCOMMITTERS=4
//! LongHoldsWithManyCommits       -DROUNDS=2
//! LongHoldsWhenLeadersAreKilled  -DKILLS=2 -DOVERTAKING
//
// NO_BIT: the signaller believes that nobody sleeps.
// NO_COMPARE: the sleeper sets the bit whatever the word holds; the signal came just before.
// NO_COUNT: a signal that only clears the bit cannot be told from none.
// SIGNAL_UNDER_LOCK: who is woken finds the lock still taken, sleeps again, and the leader that
// then unlocks has signalled already.
// PLAIN_STORE: a leader that was overtaken takes P back, and a commit that was shown disappears.

#ifndef COMMITTERS
#define COMMITTERS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1        // commits of each
#endif
#ifndef KILLS
#define KILLS 0
#endif

byte visible, published, durable;
byte flushed;           // what flushes have covered
byte shown;             // the highest that P has been
byte word;              // the event: bit 0 = somebody sleeps, the rest counts
bool asleep[COMMITTERS];
byte lock;              // the flush lock: 1 + who; ends with its owner
byte kills, dying;

inline raise(what, to) {
  d_step { if :: what < to -> what = to :: else fi }
}

inline signal() {
#ifdef NO_COUNT
  d_step { old = word; word = word & ~1 }
#else
  d_step { old = word; word = (word & ~1) + 2 }
#endif
  if
  :: old & 1 ->
     old = 0;
     d_step {
       do :: old < COMMITTERS -> asleep[old] = false; old++ :: else -> break od;
       old = 0
     }
  :: else -> old = 0
  fi
}

inline lead() {
  target = visible;
  if
  :: durable < target ->
     raise(flushed, target);
#ifdef SIGNAL_BEFORE_D
     signal();
#endif
#ifdef D_BEFORE_P
     raise(durable, target);
     raise(published, target);
#else
#ifdef PLAIN_STORE
     if :: published < target -> published = target :: else fi;
#else
     raise(published, target);
#endif
     d_step { assert(published >= shown); shown = published }  //: p_only_grows
     assert(published <= flushed);  //: published_is_flushed
     raise(durable, target);
#endif
#ifdef SIGNAL_UNDER_LOCK
     signal()
#endif
  :: else
  fi;
  target = 0
}

inline sleep() {
#ifdef NO_COMPARE
  d_step { word = word | 1; seen = word & ~1 }
#endif
#ifndef NO_BIT
  d_step { if :: word == seen -> word = seen | 1 :: else fi }
#endif
  atomic {
#ifdef NO_BIT
    if :: word == seen -> asleep[me] = true :: else fi
#else
    if :: word == (seen | 1) -> asleep[me] = true :: else fi
#endif
  }
#if KILLS > 0 && !defined(NO_LIMIT)
  if :: !asleep[me] :: timeout -> asleep[me] = false fi
#else
  !asleep[me]
#endif
}

proctype committer(byte me) {
  byte round, mine, seen, target, old;
  { do
    :: round < ROUNDS ->
       atomic { round++; visible++; mine = visible }
       do
       :: seen = word & ~1;
          if :: durable >= mine -> seen = 0; break :: else fi;
          if
          :: atomic { lock == 0 -> lock = me + 1 }
             lead();
             lock = 0;
#if !defined(SIGNAL_UNDER_LOCK) && !defined(SIGNAL_BEFORE_D)
             signal()
#endif
          :: lock != 0 -> sleep()
#ifdef OVERTAKING
          :: lock != 0 -> lead(); signal()  // the leader does not come to its end
#endif
          fi;
          seen = 0
       od;
       assert(published >= mine);  //: returned_is_published
       mine = 0
    :: else -> break
    od
  } unless { dying == me + 1 };
  atomic {
    if :: lock == me + 1 -> lock = 0 :: else fi;
    if :: dying == me + 1 -> dying = 0 :: else fi;
    asleep[me] = false
  }
}

proctype killer() {
end:
  do
  :: atomic { kills < KILLS && dying == 0 && lock != 0 -> kills++; dying = lock }
  od
}

init {
  byte i;
  atomic {
    do :: i < COMMITTERS -> run committer(i); i++ :: else -> break od;
    run killer()
  }
}
