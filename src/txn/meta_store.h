// Storing metas: one slot, flush, the other slot, flush (rule 14), in a way that a successor can
// complete.
#pragma once

#include "txn/store.h"

namespace quire::txn {

// Notes in the region what is about to be stored and where first; the checkpoint's stage becomes
// meta_stored. All that the meta names has been flushed (rule 2).
void announce_meta(Store& store, const format::Meta& meta, int first_slot);

// Stores and flushes the announced meta in both slots, then makes it the current checkpoint: raises
// what it covers, and leaves what it replaced to be released. Idempotent. Throws Errc::poisoned.
void complete_checkpoint(Store& store);

// Stores and flushes, in the other slot, what the first one holds durably already. Throws
// Errc::poisoned.
void store_second_meta(Store& store, format::Meta first, int slot);

// Makes both metas say that the file is in use; before the first log record after an open can
// count. The caller holds the writer lock. Throws Errc::poisoned.
void mark_in_use(Store& store);

// Stores back what every page of a range of the file holds, so that the next flush writes it.
void redirty(Store& store, std::uint64_t offset, std::uint64_t size_bytes);

// The same for every page of the file, so that the next flush writes them all (rule 6: after a
// death inside a flush that may have failed).
void redirty_file(Store& store);

}  // namespace quire::txn
