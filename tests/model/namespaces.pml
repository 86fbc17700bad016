// One writer at a time across PID namespaces (shared/locks.h; "The writer lock" in src/README.md).
//
// A robust mutex is a word with the thread id of its owner. When a thread dies, the system looks at
// the mutexes that it owned, and at the one that it was just waiting for, and where the word holds
// its own id it marks the mutex as that of a dead owner. Ids are those of the thread's namespace: a
// waiter that has the same id there as the owner has in another namespace makes a lock free that
// is held. So a byte lock, which knows nothing of ids, comes first; the mutex only tells of deaths.
//
// Two processes with id 1 in different namespaces, and a third one. Whoever is in must be alone,
// and who comes in after somebody has died there must be told.
//
// The byte lock costs two system calls, so it is taken only while several namespaces are attached:
// who attaches from another namespace sets the word `several` before it asks for the lock. From
// then on the byte lock takes the place of the mutex: with it one waits until nobody has the mutex
// any more, without getting in line for it, and a word, `in_use`, tells of deaths. Who takes the
// mutex because nobody had come yet looks at `several` again when it has it.
//
// Left out: with the byte lock, the threads of one process, whom a mutex of its own keeps apart.
//
//! HoldsAsDesigned
//! HoldsWithTheByteLockAlways     -DALWAYS
//! FailsWithoutTheByteLock        -DALWAYS -DNO_BYTE_LOCK breaks=one_writer
//! FailsWhenTheMutexComesFirst    -DALWAYS -DMUTEX_FIRST breaks=death_is_told
//! FailsWhenJoinedWithoutWaiting  -DNO_WAIT breaks=one_writer
//! FailsWhenTheWordIsNotReadAgain -DNOT_READ_AGAIN breaks=one_writer
//! FailsWhenTheMutexIsTakenAsWell -DWITH_MUTEX breaks=one_writer
//! FailsWhenTheMutexIsTried       -DTRIES_THE_MUTEX breaks=one_writer
//! LongHoldsAsDesigned            -DKILLS=3 -DROUNDS=3
//! LongHoldsWithTheByteLockAlways -DKILLS=3 -DROUNDS=3 -DALWAYS
//
// ALWAYS: the byte lock first, then the mutex, whoever is attached.
// MUTEX_FIRST: waiters wait in the mutex again, and their deaths free it.
// NO_WAIT: one that came before is still in. NOT_READ_AGAIN: one that was on its way is let in.
// WITH_MUTEX: with the byte lock, the mutex is waited for. One on its way may have it for a moment;
// its waiter dies, and when it gives the mutex back, that is another one's with the same id.
// TRIES_THE_MUTEX: to see whether it is free, it is taken and given back; dying meanwhile frees
// what another one with the same id has.

#ifndef KILLS
#define KILLS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define PROCESSES 3

byte owner;             // the mutex: id of its owner; 0 = free
bool owner_died;        // and the next one is to be told
byte byte_lock;         // 1 + process
byte inside;
bool is_dirty;          // somebody has died inside, and nobody was told yet
bool in_use;            // set by who is in, when `several`
bool several;           // processes of several namespaces are attached
byte kills, dying;      // 1 + process

inline lock_mutex() {
  is_waiting = true;
  d_step {
    owner == 0 ->
    owner = id; was_told = owner_died; owner_died = false; is_waiting = false; is_owner = true
  }
}

// Fails when the mutex is somebody else's by now.
inline unlock_mutex() {
  d_step { if :: owner == id -> owner = 0 :: else fi; is_owner = false }
}

inline lock_byte() {
  atomic { byte_lock == 0 -> byte_lock = me + 1 }
}

inline unlock_byte() {
  if :: byte_lock == me + 1 -> byte_lock = 0 :: else fi
}

proctype process(byte me, id; bool is_from_elsewhere) {
  byte round;
  bool is_waiting, is_owner, was_told, is_inside;
  do
  :: { if
       :: is_from_elsewhere && !several ->
          several = true
       :: else
       fi;
       do
       :: round < ROUNDS ->
again:
#ifdef MUTEX_FIRST
          lock_mutex();
          lock_byte();
#else
#ifdef ALWAYS
#ifndef NO_BYTE_LOCK
          lock_byte();
#endif
          lock_mutex();
#else
          if
          :: several ->
             lock_byte();
#ifdef WITH_MUTEX
             lock_mutex()
#elif defined(TRIES_THE_MUTEX)
             lock_mutex();
             unlock_mutex()
#else
#ifndef NO_WAIT
             owner == 0
#endif
#endif
          :: !several ->
             lock_mutex();
#ifndef NOT_READ_AGAIN
             if
             :: several -> unlock_mutex(); goto again
             :: else
             fi
#endif
          fi;
          d_step { was_told = in_use; in_use = true }
#endif
#endif
          d_step { inside++; is_inside = true }
          assert(inside == 1);  //: one_writer
          assert(was_told || !is_dirty);  //: death_is_told
          d_step { is_dirty = false; was_told = false }
          d_step { inside--; is_inside = false; round++ }
#ifndef ALWAYS
          in_use = false;
#endif
          if :: is_owner -> unlock_mutex() :: else fi;
          unlock_byte()
       :: else -> break
       od;
       break
     } unless { dying == me + 1 };
     // What the system does: mutexes first, then the descriptions, and with them their locks.
     d_step {
       if
       :: (is_waiting || is_owner) && owner == id -> owner = 0; owner_died = true
       :: else
       fi;
       if :: is_inside -> inside--; is_dirty = true :: else fi;
       is_waiting = false; is_owner = false; is_inside = false; was_told = false; dying = 0
     }
     unlock_byte()
  od
}

proctype killer() {
  byte who;
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
  atomic {
    run process(0, 1, false);
    run process(1, 1, true);
    run process(2, 2, false);
    run killer()
  }
}
