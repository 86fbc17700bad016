// Checkpoints: the tree pages of one commit, made durable and named by both metas, so that recovery
// starts there.
//
//   none ──► sealing      capture: K pinned, space map taken; then checksums and the flush of all
//            meta_stored  one meta, flush, the other meta, flush
//            releasing    K is the checkpoint; a writer releases what only the old metas named
//            none
//
// Dying or failing in sealing, it is abandoned; dying in meta_stored, it is completed (rule 13).
//
// Locks: capture needs the writer lock and the checkpoint lock; the rest only the checkpoint lock,
// so that writers go on meanwhile, unless the checkpoint changes the log or is itself a commit.
#pragma once

#include "txn/store.h"

namespace quire::txn {

// How tightly a checkpoint packs what lies outside the trees; anything but the defaults only while
// nobody else is attached.
struct Packing {
  std::uint32_t log_pages_max = UINT32_MAX;  // a longer log is replaced by one of this length
  std::uint32_t limit = UINT32_MAX;  // log and map move down from beyond this page, if they can
  bool ends_file = false;  // the metas count pages only a little beyond the last one in use
};

// What is special about a commit that is a checkpoint.
struct CommitTerms {
  bool new_epoch = false;     // recovery: older records become void
  bool outgrows_log = false;  // the log grows, if the data justifies it, so that the next ones fit
  Packing packing;
};

// Checkpoints the newest commit and waits for it. With `mark_clean` the metas say that nothing
// follows: only for the last process, which is alone. Throws Errc::poisoned, corrupt, no_space, io.
void checkpoint(Store& store, bool mark_clean = false);

// The same, packed.
void checkpoint_packed(Store& store, const Packing& packing, bool mark_clean);

// The same for a caller that holds the writer lock, also in the middle of its transaction.
void checkpoint_by_writer(Store& store);

// The same for one who has found no room: no larger log takes what there is.
void checkpoint_for_room(Store& store);

// Runs a checkpoint when one is due and nobody else is at it. False, without having waited, when
// one is due but somebody has the writer lock. The caller holds no lock.
bool checkpoint_if_due(Store& store);

// Commits `txn`, whose changes are in no log record, as a checkpoint; the caller holds the writer
// lock. After it returns, `txn` is visible, published and durable.
void commit_by_checkpoint(Store& store, TxnId txn, const State& state,
                          const CommitTerms& terms = {});

// Completes or abandons a checkpoint whose owner died or failed, releases what a finished one
// replaced (rules 12, 13). Every writer does so before it allocates anything: what a dead
// checkpointer has announced but not marked in use must not be given to anybody. The caller holds
// the writer lock. Throws Errc::poisoned.
void settle_checkpoint(Store& store);

}  // namespace quire::txn
