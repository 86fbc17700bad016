// Who is alone, who joins, who is the last (shared/region.cpp).
//
// Two byte locks, one on the data file and one on the lock file; the data file's is tried first.
// Exclusive on both: alone; clear the region, recover, set `ready`, downgrade both, the lock file
// first. The data file's not to be had: shared on it (else somebody is alone: again), then on the
// lock file, where exclusive to be had would mean one that nobody uses: it was replaced. Shared on
// both and ready: joined. The last to leave upgrades both and takes `ready` back.
//
// Nobody may use a region while another one is alone with it, or one that is not ready. And who
// thinks that a file was replaced must do so only while somebody is on the way in or out, because
// none is replaced here: then the sight passes.
//
// Left out: what is recovered; replaced files themselves (tests/processes).
//
//! HoldsAsDesigned
//! HoldsWithDeaths              -DKILLS=1
//! FailsWhenReadyIsNotAsked     -DNOT_ASKED -DKILLS=1 breaks=whole
//! FailsWhenReadyIsNotTakenBack -DSTAYS_READY -DKILLS=1 breaks=whole
//! LongHoldsWithDeaths          -DKILLS=4 -DROUNDS=3
//! LongHoldsWhenTheLockFileIsFirst      -DLOCK_FIRST -DKILLS=1
//! LongHoldsWhenDowngradedDataFirst     -DDOWNGRADE_DATA_FIRST -DKILLS=1
//! LongHoldsWhenReleasedDataFirst       -DRELEASE_DATA_FIRST -DKILLS=1
//! LongHoldsWhenBothAreDataFirst        -DDOWNGRADE_DATA_FIRST -DRELEASE_DATA_FIRST -DKILLS=1
//! LongHoldsWhenAllAreTheOtherWayRound -DLOCK_FIRST -DDOWNGRADE_DATA_FIRST -DRELEASE_DATA_FIRST
//
// The order of the two locks on the way in, when they are downgraded, and on the way out does not
// matter to these claims: all of them hold in each (LongHolds...). The order as it is spares those
// who wait for the data file's byte a look at a region that is not ready.
//
// Both mistakes show when one that was alone dies: two newcomers whose locks keep each other from
// being alone believe that they have joined, and use what the dead one was about to build.

#ifndef KILLS
#define KILLS 0
#endif
#ifndef ROUNDS
#define ROUNDS 2        // times that each process attaches
#endif
#define PROCESSES 3

// Of each file: who holds the byte exclusively (1 + process; 0 = nobody), and shared (a bit each).
#define DATA 0
#define LOCK 1
byte exclusive[2], shared[2];
bool ready;
bool is_whole;          // the region has been cleared, recovered, and not left since
byte using, alone;
byte moving, moved;     // processes on the way; a bit for each that should know of such a way
byte kills, dying;      // 1 + process

#define ME (1 << me)
#define MAY_EXCLUDE(file) (exclusive[file] == 0 && (shared[file] & ~ME) == 0)
#define MAY_SHARE(file) (exclusive[file] == 0)

inline exclude(file) {
  exclusive[file] = me + 1;
  shared[file] = shared[file] & ~ME
}

inline share(file) {
  atomic {
    if :: exclusive[file] == me + 1 -> exclusive[file] = 0 :: else fi;
    shared[file] = shared[file] | ME
  }
}

inline unlock(file) {
  atomic {
    if :: exclusive[file] == me + 1 -> exclusive[file] = 0 :: else fi;
    shared[file] = shared[file] & ~ME
  }
}

inline downgrade() {
#ifdef DOWNGRADE_DATA_FIRST
  share(DATA);
  share(LOCK)
#else
  share(LOCK);
  share(DATA)
#endif
}

inline release() {
#ifdef RELEASE_DATA_FIRST
  unlock(DATA);
  unlock(LOCK)
#else
  unlock(LOCK);
  unlock(DATA)
#endif
}

#ifdef LOCK_FIRST
#define FIRST LOCK
#define SECOND DATA
#else
#define FIRST DATA
#define SECOND LOCK
#endif

proctype process(byte me) {
  byte round;
  bool is_moving, is_using, is_alone;
  do
  :: { do
       :: round < ROUNDS ->
          atomic { round++; moving++; is_moving = true }
again:
          moved = moved & ~ME;
          if
          :: atomic { MAY_EXCLUDE(FIRST) -> exclude(FIRST) }
             if
             :: atomic { MAY_EXCLUDE(SECOND) -> exclude(SECOND) }
                atomic { alone++; is_alone = true }
                assert(alone == 1 && using == 0);  //: alone
#ifndef STAYS_READY
                ready = false;
#endif
                is_whole = false;
                assert(alone == 1 && using == 0);  //: alone
                is_whole = true;
                ready = true;
                atomic { alone--; is_alone = false; using++; is_using = true }
                downgrade();
                goto attached
             :: atomic { !MAY_EXCLUDE(SECOND) -> skip }
                assert(moving > 1 || (moved & ME));  //: not_replaced - a replaced data file
                unlock(FIRST);
                goto again
             fi
          :: atomic { !MAY_EXCLUDE(FIRST) -> skip }
             if
             :: atomic { MAY_SHARE(FIRST) -> share(FIRST) }
             :: atomic { !MAY_SHARE(FIRST) -> skip }
                MAY_SHARE(FIRST);
                goto again
             fi;
             if  // which would be a replaced lock file
             :: atomic {
                  MAY_EXCLUDE(SECOND) ->
                  assert(moving > 1 || (moved & ME))  //: not_replaced
                }
             :: atomic { !MAY_EXCLUDE(SECOND) -> skip }
                if
                :: atomic { MAY_SHARE(SECOND) -> share(SECOND) }
                   if
#ifdef NOT_ASKED
                   :: true ->
#else
                   :: ready ->
#endif
                      atomic { using++; is_using = true }
                      goto attached
#ifndef NOT_ASKED
                   :: else
#endif
                   fi
                :: atomic { !MAY_SHARE(SECOND) -> skip }
                fi
             fi;
             release();
             goto again
          fi;
attached:
          atomic { moving--; is_moving = false; moved = 7 }
          assert(alone == 0 && is_whole);  //: whole
          atomic { moving++; is_moving = true }
          atomic { using--; is_using = false }
          // The last one closes.
          if
          :: atomic { MAY_EXCLUDE(DATA) -> exclude(DATA) }
             if
             :: atomic { MAY_EXCLUDE(LOCK) -> exclude(LOCK) }
                atomic { alone++; is_alone = true }
                assert(alone == 1 && using == 0);  //: alone
#ifndef STAYS_READY
                ready = false;
#endif
                is_whole = false;
                assert(alone == 1 && using == 0);  //: alone
                atomic { alone--; is_alone = false }
             :: else -> share(DATA)
             fi
          :: else
          fi;
          release();
          atomic { moving--; is_moving = false; moved = 7 }
       :: else -> break
       od;
       break
     } unless { dying == me + 1 };
     // Its descriptors are closed one after the other.
     atomic {
       if :: is_using -> using--; is_using = false :: else fi;
       if :: is_alone -> alone--; is_alone = false :: else fi;
       if :: !is_moving -> moving++ :: else fi;
       is_moving = false
     }
     if
     :: true -> unlock(DATA); unlock(LOCK)
     :: true -> unlock(LOCK); unlock(DATA)
     fi;
     atomic { moving--; dying = 0; moved = 7 }
  od
}

proctype killer() {
end:
  do
  :: atomic {
       kills < KILLS && dying == 0 ->
       if :: dying = 1 :: dying = 2 :: dying = 3 fi;
       kills++
     }
  od
}

init {
  atomic { run process(0); run process(1); run process(2); run killer() }
}
