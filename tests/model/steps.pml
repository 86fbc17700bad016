// What the processes of recovery.pml have in common: publishing, checkpoints, and the repair after
// a death. Every store to the file or to the region is a step of its own.

// --- publication

// P, and what is acknowledged with it.
inline publish(stamp) {
  d_step { if :: stamp > acked -> acked = stamp :: else fi }
}

inline raise_durable(end) {
  d_step { if :: end > durable -> durable = end :: else fi }
}

inline require_kept() {
  d_step {
    assert((undone & (1 << v_stamp)) == 0);  //: stays_undone
    x = v_stamp;
    do
    :: x > acked ->
       assert((values & (1 << x)) != 0);  //: values_are_kept
       x = parent[x]
    :: else -> break
    od;
    assert(x == acked);  //: acknowledged_is_kept
    do
    :: x > 1 ->
       assert((values & (1 << x)) != 0);  //: values_are_kept
       x = parent[x]
    :: else -> break
    od;
    assert(page[v_root] == v_stamp);  //: root_is_intact
    x = 0
  }
}

// Nobody will see again what `visible` does not name.
inline forget_the_rest() {
  d_step {
    x = v_stamp + 1;
    do :: x <= appended -> undone = undone | (1 << x); x++ :: else -> break od;
    x = 0
  }
}

// --- checkpoints

// Both slots, each with a flush of its own; then what the meta covers becomes current.
inline complete(ok) {
  store_meta(k_slot, k_meta);
#ifndef ONE_FLUSH
  flush_meta(k_slot, ok);
  if :: ok && !poisoned :: else -> poisoned = true; ok = false fi;
  if
  :: ok ->
#endif
     store_meta(1 - k_slot, k_meta + SEQ_ONE);
#ifdef ONE_FLUSH
     flush_meta(k_slot, ok);
#endif
     flush_meta(1 - k_slot, ok);
     if :: ok && !poisoned :: else -> poisoned = true; ok = false fi
#ifndef ONE_FLUSH
  :: else
  fi;
#endif
  if
  :: ok ->
#ifndef NOT_RAISED
     d_step {
       if :: k_commits -> v_stamp = STAMP(k_meta); v_root = ROOT(k_meta) :: else fi
     }
#endif
     publish(STAMP(k_meta));
     raise_durable(START(k_meta));
     d_step { epoch = EPOCH(k_meta); clean = CLEAN(k_meta); c_root = ROOT(k_meta) }
     d_step { k_root = PAGES; k_meta = 0; k_slot = 0; k_commits = false; stage = NONE }
  :: else
  fi
}

inline abandon() {
  d_step { stage = NONE; k_root = PAGES; k_meta = 0; k_slot = 0; k_commits = false }
}

// What is left to do once nobody else holds the checkpoint lock.
inline settle(ok) {
  ok = true;
  if
#ifdef ABANDON
  :: stage != NONE -> abandon()
#else
  :: stage == SEALING -> abandon()
  :: stage == META_STORED && poisoned -> ok = false
  :: stage == META_STORED && !poisoned -> complete(ok)
#endif
  :: else
  fi
}

inline capture(stamp, root, mark, new_epoch) {
  d_step {
    k_root = root;
    k_slot = 1 - NEWEST;
    k_meta = META(SEQ(meta[NEWEST]) + 1, NUMBER(meta[NEWEST]) + 1, epoch + new_epoch, stamp,
                  root, v_end, mark);
    stage = SEALING
  }
}

inline write_out(ok) {
  d_step { was = checkpoint_intent; checkpoint_intent = true }
  if :: was -> redirty_all() :: else fi;
#ifndef CHECKPOINTS_IGNORE
  if :: flush_intent -> redirty_log() :: else fi;
#endif
#ifndef META_FIRST
  flush_all(ok);
  if :: ok && !poisoned :: else -> poisoned = true; ok = false fi;
#else
  ok = true;
#endif
  if
  :: ok ->
     stage = META_STORED;
     complete(ok);
     if :: ok -> checkpoint_intent = false :: else fi
  :: else
  fi;
  was = false
}

// --- who takes the writer lock after a death

inline repair(ok) {
  ok = true;
  if
  :: repair_pending ->
#ifdef RAISED_EARLY
     d_step {
       if
       :: stage == META_STORED && k_commits -> v_stamp = STAMP(k_meta); v_root = ROOT(k_meta)
       :: else
       fi
     }
#endif
     if
     :: poisoned -> ok = false
     :: else ->
        if
        :: checkpoint_lock == 0 -> settle(ok)
        :: else
        fi;
#ifndef NO_ERASE
        if
        :: ok ->
#ifndef NO_INTENT_AT_ROLLBACK
           d_step { was = flush_intent; flush_intent = true }
           if :: was -> redirty_log() :: else fi;
#endif
           if :: record[v_end] != 0 -> store_record(v_end, 0) :: else fi;
#ifndef ERASE_UNFLUSHED
           flush_log(ok);
           if :: !ok -> poisoned = true :: else fi;
#endif
#ifndef NO_INTENT_AT_ROLLBACK
           if :: ok -> flush_intent = false :: else fi
#endif
        :: else
        fi;
#endif
        if :: ok -> forget_the_rest(); repair_pending = false :: else fi
     fi
  :: else
  fi
}
