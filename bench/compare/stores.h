// The stores that this program was built with.
#pragma once

#include "compare/store.h"

namespace compare {

Peer quire_peer();
Peer lmdb_peer();
Peer lmdb_writemap_peer();
Peer leveldb_peer();
Peer rocksdb_peer();
Peer wiredtiger_peer();
Peer sqlite_peer();
Peer berkeleydb_peer();
Peer tkrzw_peer();

}  // namespace compare
