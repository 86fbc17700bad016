// For tests that count pages, or hold a checkpoint still.
#pragma once

#include <quire/quire.h>

#include "db/handles.h"
#include "txn/log_size.h"

namespace quire::test {

// The log stays as large as it is. It grows when it fills fast, so how often it does, and with it
// the file, is the machine's affair otherwise.
inline void keep_log_size(Database& db) { txn::note_log_refused(detail::Access::store(db), 1); }

}  // namespace quire::test
