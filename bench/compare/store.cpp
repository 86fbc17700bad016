#include "compare/store.h"

#include "compare/stores.h"

namespace compare {

Seen Session::get_many(std::span<const Bytes> keys, std::size_t) { return get(keys, Scope::all); }

const std::vector<Peer>& all_peers() {
  static const std::vector<Peer> peers = {
      quire_peer(),
#ifdef COMPARE_LMDB
      lmdb_peer(),       lmdb_writemap_peer(),
#endif
#ifdef COMPARE_LEVELDB
      leveldb_peer(),
#endif
#ifdef COMPARE_ROCKSDB
      rocksdb_peer(),
#endif
#ifdef COMPARE_WIREDTIGER
      wiredtiger_peer(),
#endif
#ifdef COMPARE_SQLITE
      sqlite_peer(),
#endif
#ifdef COMPARE_BERKELEYDB
      berkeleydb_peer(),
#endif
#ifdef COMPARE_TKRZW
      tkrzw_peer(),
#endif
  };
  return peers;
}

}  // namespace compare
