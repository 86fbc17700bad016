#include "compare/store.h"

#include "compare/stores.h"

namespace compare {

Seen Session::get_many(std::span<const Bytes> keys, std::size_t) { return get(keys, Scope::all); }

Seen touch_pages(Bytes value) noexcept {
  constexpr std::size_t kPageBytes = 4096;
  Seen seen{.entry_count = 1};
  for (std::size_t at = 0; at < value.size(); at += kPageBytes) {
    seen.sum += static_cast<unsigned char>(value[at]);
  }
  return seen;
}

const std::vector<Peer>& all_peers() {
  static const std::vector<Peer> peers = {
      quire_peer(),
#ifdef COMPARE_LMDB
      lmdb_peer(),
      lmdb_writemap_peer(),
#endif
#ifdef COMPARE_LEVELDB
      leveldb_peer(),
#endif
  };
  return peers;
}

}  // namespace compare
