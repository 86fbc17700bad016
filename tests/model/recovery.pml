// Commits, flushes and checkpoints, processes killed one by one or all at once, flushes that fail,
// power cuts, and recoveries that are cut short themselves (rules 2-4, 6, 12-14 of src/README.md;
// src/txn/{commit,flush,checkpoint,meta_store,repair,recovery}.cpp).
//
// A state is known by the stamp of its last commit; `parent` remembers which state each commit was
// made from. A page of the tree holds the stamp of the state that it is the root of. What must be
// true whenever somebody may look: all that was acknowledged, or shown to others, is there, and
// nothing that was once found undone has come back.
//
// drive.pml is the file on its way to the disk, steps.pml what the processes have in common.
//
// Left out: the ring's end, damage behind the log's end (rule 15), readers and reuse (reuse.pml),
// the region's tables (death.pml).
//
//! HoldsThreeCrashesDeep             -DCRASHES=3
//! HoldsWithDeaths                   -DCRASHES=1 -DKILLS=1
//! HoldsWithACleanClose              -DCRASHES=1 -DCLOSES=1
//! HoldsWithFailedFlushes            -DCRASHES=1 -DFAILURES=1
//! HoldsWithCheckpointCommits        -DCRASHES=1 -DKILLS=1 -DBY_CHECKPOINT
//! FailsWhenACheckpointCommitIsUndone -DNOT_RAISED -DCRASHES=1 -DKILLS=1 -DBY_CHECKPOINT
//!     breaks=acknowledged_is_kept
//! HoldsWithCheckpointCommitsAfterOthers -DCRASHES=1 -DKILLS=1 -DAPPENDS=2 -DBY_CHECKPOINT
//! FailsWhenACheckpointCommitIsRaisedEarly -DRAISED_EARLY -DCRASHES=1 -DKILLS=1 -DAPPENDS=2
//!     -DBY_CHECKPOINT breaks=acknowledged_is_kept
//! FailsWhenAStoredMetaIsAbandoned -DABANDON -DCRASHES=1 -DKILLS=1 -DAPPENDS=3 -DNO_LEADER
//!     breaks=meta_is_true
//! FailsWithoutFlushingFirst         -DNO_FLUSH_FIRST -DCRASHES=2 breaks=meta_is_true
//! FailsWhenBothMetasShareAFlush     -DONE_FLUSH -DCRASHES=1 breaks=meta_is_true
//! FailsWhenTheMetaComesFirst        -DMETA_FIRST -DCRASHES=1 breaks=meta_is_true
//! FailsWhenAcknowledgedTooEarly     -DACK_EARLY -DCRASHES=1 breaks=acknowledged_is_kept
//! FailsWhenPoisonIsForgotten -DPOISON_FORGOTTEN -DCRASHES=2 -DFAILURES=1 breaks=values_are_kept
//! FailsWhenTheIntentIsIgnored -DNO_INTENT -DCRASHES=1 -DFAILURES=1 -DKILLS=1
//!     breaks=acknowledged_is_kept
//! FailsWhenLeadersIgnoreCheckpoints -DLEADERS_IGNORE -DCRASHES=1 -DKILLS=1 -DFAILURES=1
//!     breaks=acknowledged_is_kept
//! LongFailsWhenCheckpointsIgnoreLeaders -DCHECKPOINTS_IGNORE -DCRASHES=1 -DKILLS=2 -DFAILURES=1
//!     breaks=values_are_kept
//! FailsWhenTheRecordStays -DNO_ERASE -DCRASHES=1 -DKILLS=1 -DAPPENDS=2 -DNO_LEADER
//!     breaks=stays_undone
//! FailsWhenErasingIsNotFlushed -DERASE_UNFLUSHED -DCRASHES=1 -DKILLS=1 -DAPPENDS=2 -DNO_LEADER
//!     breaks=stays_undone
//! LongHoldsWithFailuresAndDeaths    -DCRASHES=1 -DKILLS=2 -DFAILURES=1
//! LongHoldsWithTwoCommits           -DCRASHES=2 -DAPPENDS=2
//! LongHoldsWithCleanCloses          -DCRASHES=3 -DCLOSES=2
//
// ABANDON: K is dropped though its meta was stored; its pages are reused, and a power cut finds it.
// NO_FLUSH_FIRST: what the cache shows is built upon before it is on disk.
// ONE_FLUSH: a power cut tears both metas.
// META_FIRST: the meta names pages that are not on disk yet.
// POISON_FORGOTTEN, NO_INTENT: pages that a failed flush has left clean are believed in.
// LEADERS_IGNORE: the flush of a checkpoint that failed unheard covered the log as well.
// CHECKPOINTS_IGNORE: that of a leader covered values that the checkpoint names.
// NO_ERASE, ERASE_UNFLUSHED: what was found undone is replayed.
// NOT_RAISED: a commit by checkpoint is taken back though its meta was stored (rule 11).
// RAISED_EARLY: it is called visible after a death before its meta is durable: a leader shows it.
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef FAILURES
#define FAILURES 0
#endif
#ifndef CLOSES
#define CLOSES 0
#endif
#ifndef APPENDS
#define APPENDS 1       // records that are begun
#endif
#define STAMPS (APPENDS + 2)
#define PAGES 4

// --- what everybody was told
byte parent[STAMPS], epoch_of[STAMPS];
byte appended = 1;
byte acked = 1;
byte undone;            // bits of stamps that somebody has found undone

#define PROVES_ITSELF(stamp) \
  (stamp != 0 && parent[stamp] == v_stamp && (values & (1 << stamp)) != 0 && \
   epoch_of[stamp] == epoch)

// --- the region
#define WRITER 1
#define LEADER 2
#define CHECKPOINTER 3
#define OPENER 4
bool is_up;             // ready
bool is_leading;        // somebody flushes the log
byte writer_lock, checkpoint_lock;
bool repair_pending;
byte v_stamp, v_root, v_end;
byte durable;           // D, a position
byte c_root;
byte epoch;
bool clean;
#define NONE 0
#define SEALING 1
#define META_STORED 2
byte stage;
byte k_root = PAGES;
int k_meta;             // announced, for whoever has to complete it
byte k_slot;
bool k_commits;         // it is the commit of its transaction
bool poisoned, flush_intent, checkpoint_intent;

// --- fate
byte busy;              // processes that are in the middle of something
bool is_struck;         // everybody is dead
byte dying;             // one that is killed
bool is_closing;        // one is left, and closes
byte crashes, kills, failures, closes;

#include "drive.pml"
#include "steps.pml"

// --- processes

#define IS_FREE(i) ((i) != v_root && (i) != c_root && (i) != k_root)

#ifdef LEADERS_IGNORE
#define SOMEBODY_CHECKPOINTS false
#else
#define SOMEBODY_CHECKPOINTS checkpoint_intent
#endif

inline choose_page() {
  i = 0;
  do :: !IS_FREE(i) -> i++ :: else -> break od
}

// Both metas say that the file is in use before a record counts.
inline mark_in_use(ok) {
  ok = true;
  if
  :: clean ->
     atomic { checkpoint_lock == 0 -> checkpoint_lock = WRITER }
     d_step { at = 1 - NEWEST; m = (meta[NEWEST] & ~1) + SEQ_ONE }
     store_meta(at, m);
     flush_meta(at, ok);
     if :: !ok -> poisoned = true :: else fi;
     if
     :: ok ->
        store_meta(1 - at, m + SEQ_ONE);
        flush_meta(1 - at, ok);
        if :: !ok -> poisoned = true :: else fi
     :: else
     fi;
     if :: ok -> clean = false :: else fi;
     d_step { at = 0; m = 0; checkpoint_lock = 0 }
  :: else
  fi
}

proctype writer() {
  byte me = WRITER;
  byte i, stamp, x, at;
  int m;
  bool ok, was;
end_idle:
  atomic { is_up && appended <= APPENDS && writer_lock == 0 && !poisoned ->
           busy++; writer_lock = WRITER }
  { repair(ok);
    if
    :: ok && stage != NONE && checkpoint_lock == 0 ->
       checkpoint_lock = WRITER;
       settle(ok);
       checkpoint_lock = 0
    :: else
    fi;
    if :: ok -> mark_in_use(ok) :: else fi;
    if
    :: ok ->
       atomic {
         choose_page();
         appended++;
         stamp = appended; parent[stamp] = v_stamp; epoch_of[stamp] = epoch
       }
       store_page(i, stamp);
       d_step { values = values | 1 << stamp; values_dirty = values_dirty | 1 << stamp }
       if
       :: store_record(v_end, stamp);
          d_step { v_stamp = stamp; v_root = i; v_end = v_end + 1 }
#ifdef BY_CHECKPOINT
       :: atomic { checkpoint_lock == 0 -> checkpoint_lock = WRITER }
          settle(ok);
          if
          :: ok ->
             k_commits = true;
             capture(stamp, i, 0, 0);
             write_out(ok)
          :: else
          fi;
          checkpoint_lock = 0
#endif
       fi
    :: else
    fi;
    writer_lock = 0
  } unless { !is_up || dying == WRITER };
  atomic {
    if :: dying == WRITER -> dying = 0 :: else fi;
    busy--; i = 0; stamp = 0; x = 0; at = 0; m = 0; ok = false; was = false;
    goto end_idle
  }
}

proctype leader() {
  byte me = LEADER;
  byte stamp, end, x;
  bool ok, was;
end_idle:
  atomic { is_up && durable < v_end && !poisoned ->
           busy++; is_leading = true; stamp = v_stamp; end = v_end }
  {
#ifdef ACK_EARLY
    publish(stamp);
#endif
#ifndef NO_INTENT
    d_step { was = flush_intent || SOMEBODY_CHECKPOINTS; flush_intent = true }
    if :: was -> redirty_log() :: else fi;
#endif
    flush_log(ok);
    if :: !ok -> poisoned = true :: else fi;
    if
    :: !poisoned ->
       publish(stamp);
       raise_durable(end);
       flush_intent = false
    :: else
    fi
  } unless { !is_up || dying == LEADER };
  atomic {
    if :: dying == LEADER -> dying = 0 :: else fi;
    is_leading = false; busy--; stamp = 0; end = 0; x = 0; ok = false; was = false;
    goto end_idle
  }
}

proctype checkpointer() {
  byte me = CHECKPOINTER;
  byte x;
  bool ok, was;
end_idle:
  atomic { is_up && !poisoned && v_root != c_root && writer_lock == 0 && checkpoint_lock == 0 ->
           busy++; writer_lock = CHECKPOINTER }
  { repair(ok);
    if
    :: ok ->
       atomic { checkpoint_lock == 0 -> checkpoint_lock = CHECKPOINTER }
       settle(ok)
    :: else
    fi;
    if
    :: ok && v_root != c_root ->
       capture(v_stamp, v_root, 0, 0);
       writer_lock = 0;
       write_out(ok)
    :: else -> writer_lock = 0
    fi;
    if :: checkpoint_lock == CHECKPOINTER -> checkpoint_lock = 0 :: else fi
  } unless { !is_up || dying == CHECKPOINTER };
  atomic {
    if :: dying == CHECKPOINTER -> dying = 0 :: else fi;
    busy--; x = 0; ok = false; was = false;
    goto end_idle
  }
}

// Whoever is alone: the last to close, then the next to open.
proctype opener() {
  byte me = OPENER;
  byte i, x, at;
  bool ok, was, has_failed, was_interrupted, is_trusted, is_mapped;
  int m;
end_idle:
  atomic { !is_up && busy == 0 -> is_struck = false; untold_log = 0; untold_pages = 0 }
  {
    if
    :: is_closing ->
       repair(ok);
       if :: ok -> settle(ok) :: else fi;
       if
       :: ok && !poisoned && (v_root != c_root || !clean) ->
          capture(v_stamp, v_root, 1, 0);
          write_out(ok)
       :: else
       fi;
       is_closing = false
    :: else
    fi;

    // A new region; what it must not forget.
    d_step {
      has_failed = poisoned;
      was_interrupted = flush_intent || checkpoint_intent;
      checkpoint_intent = was_interrupted; flush_intent = false;
      writer_lock = 0; checkpoint_lock = 0; repair_pending = false;
      stage = NONE; k_root = PAGES; k_meta = 0; k_slot = 0; k_commits = false;
      v_stamp = 0; v_root = 0; v_end = 0; durable = 0; c_root = 0; epoch = 0; clean = false;
      is_trusted = true
    }
    if
#if defined(POISON_FORGOTTEN) || defined(NO_FLUSH_FIRST)
    :: false ->
#else
    :: has_failed || was_interrupted ->
#endif
       flush_all(ok);
       if :: !ok -> goto fail :: else fi;
       if
       :: drop_cache()
       :: !has_failed -> is_trusted = false  // somebody maps the file
       fi
    :: else
    fi;
    if :: !is_trusted -> redirty_all() :: else fi;
    checkpoint_intent = true;
    if
    :: is_trusted && CLEAN(meta[NEWEST]) == 1 &&
       CLEAN(meta[1 - NEWEST]) == 1 && NUMBER(meta[0]) == NUMBER(meta[1])
#ifdef NO_FLUSH_FIRST
    :: true
#endif
    :: else ->
       flush_all(ok);
       if :: !ok -> goto fail :: else fi
    fi;
    m = meta[NEWEST];
    assert(m != 0 && page[ROOT(m)] == STAMP(m));  //: meta_is_true
    if
    :: meta[1 - NEWEST] != 0 && NUMBER(meta[1 - NEWEST]) != NUMBER(m) ->
       at = 1 - NEWEST;
       store_meta(at, m + SEQ_ONE);
       flush_meta(at, ok);
       if :: !ok -> poisoned = true; goto fail :: else fi
    :: else
    fi;
    checkpoint_intent = false;

    // The log, up to the first record that does not prove itself.
    d_step {
      v_stamp = STAMP(m); v_root = ROOT(m); v_end = START(m);
      epoch = EPOCH(m); clean = CLEAN(m); c_root = ROOT(m);
      do
      :: PROVES_ITSELF(record[v_end]) -> v_stamp = record[v_end]; v_end++
      :: else -> break
      od;
      durable = START(m)
    }
    if
    :: clean && v_end == START(m)
    :: else ->
       atomic {
         choose_page()
       }
       store_page(i, v_stamp);
       v_root = i;
       capture(v_stamp, v_root, 0, 1);
       write_out(ok);
       if :: !ok -> goto fail :: else fi
    fi;
    d_step { durable = v_end; poisoned = false }
    require_kept();
    forget_the_rest();
    atomic { acked = v_stamp; is_up = true }
fail:
    skip
  } unless { is_struck };
  atomic {
    i = 0; x = 0; at = 0; m = 0; ok = false; was = false;
    has_failed = false; was_interrupted = false; is_trusted = false;
    goto end_idle
  }
}

inline strike() {
  untold_log = 0; untold_pages = 0; is_struck = true; is_up = false; is_closing = false; dying = 0
}

// What dies with a process; who takes its place opens the file anew.
inline end_process(who) {
  untold_log = untold_log & ~(1 << who);
  untold_pages = untold_pages & ~(1 << who);
  if :: writer_lock == who -> writer_lock = 0; repair_pending = true :: else fi;
  if :: checkpoint_lock == who -> checkpoint_lock = 0 :: else fi
}

#define MAY_KILL (kills < KILLS && is_up && dying == 0)

proctype fate() {
  byte x;
end:
  do
  :: atomic { crashes < CRASHES -> crashes++; strike() }
  :: atomic { crashes < CRASHES -> crashes++; cut_power(); strike() }
  :: atomic {
       MAY_KILL && writer_lock == WRITER ->
       kills++; dying = WRITER; end_process(WRITER)
     }
  :: atomic { MAY_KILL && is_leading -> kills++; dying = LEADER; end_process(LEADER) }
  :: atomic {
       MAY_KILL && (writer_lock == CHECKPOINTER || checkpoint_lock == CHECKPOINTER) ->
       kills++; dying = CHECKPOINTER; end_process(CHECKPOINTER)
     }
  // All but one are gone, or have died; that one closes.
  :: atomic {
       closes < CLOSES && is_up -> closes++;
       end_process(WRITER); end_process(CHECKPOINTER);
       strike(); is_closing = true
     }
  od
}

init {
  d_step {
    page[0] = 1; page_disk[0] = 1;
    meta[0] = META(1, 1, 1, 1, 0, 0, 0); meta_disk[0] = meta[0];
    meta[1] = META(2, 1, 1, 1, 0, 0, 0); meta_disk[1] = meta[1];
    v_stamp = 1; epoch = 1; epoch_of[1] = 1; is_up = true
  }
  atomic {
    run writer(); run checkpointer(); run opener(); run fate();
#ifndef NO_LEADER
    run leader()
#endif
  }
}
