// The stores that this program was built with.
#pragma once

#include "compare/store.h"

namespace compare {

Peer quire_peer();
Peer lmdb_peer();
Peer lmdb_writemap_peer();
Peer leveldb_peer();

}  // namespace compare
