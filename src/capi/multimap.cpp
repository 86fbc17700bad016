#include "capi/handles.h"

using namespace quire::capi;

int quire_snapshot_multimap(quire_snapshot* snapshot, quire_bytes name, quire_multimap** multimap) {
  return guarded([&]() -> int {
    require(snapshot, multimap);
    const quire::Bytes wanted = bytes(name);
    const quire::MultimapView opened = snapshot->snapshot.multimap(wanted);
    const std::lock_guard lock(snapshot->mutex);
    *multimap = handle_of(snapshot->multimaps, wanted, opened);
    return QUIRE_OK;
  });
}

int quire_txn_multimap(quire_txn* txn, quire_bytes name, quire_multimap** multimap) {
  return guarded([&]() -> int {
    require(multimap);
    quire_txn& within = own(txn);
    const quire::Bytes wanted = bytes(name);
    *multimap = handle_of(within.multimaps, wanted, within.transaction.multimap(wanted));
    return QUIRE_OK;
  });
}

int quire_is_multimap(const quire_snapshot* snapshot, quire_bytes name) {
  return guarded([&]() -> int {
    require(snapshot);
    return snapshot->snapshot.is_multimap(bytes(name)) ? QUIRE_OK : QUIRE_NOT_FOUND;
  });
}

int quire_txn_is_multimap(quire_txn* txn, quire_bytes name) {
  return guarded([&]() -> int {
    return own(txn).transaction.is_multimap(bytes(name)) ? QUIRE_OK : QUIRE_NOT_FOUND;
  });
}

int quire_multimap_count(const quire_multimap* multimap, quire_bytes key, uint64_t* count) {
  return guarded([&]() -> int {
    require(multimap, count);
    *count = multimap->view().count(bytes(key));
    return QUIRE_OK;
  });
}

int quire_multimap_size(const quire_multimap* multimap, uint64_t* pairs, uint64_t* keys) {
  return guarded([&]() -> int {
    require(multimap);
    const std::uint64_t key_count = multimap->view().key_count();
    store(pairs, multimap->view().size());
    store(keys, key_count);
    return QUIRE_OK;
  });
}

int quire_multimap_contains(const quire_multimap* multimap, quire_bytes key, quire_bytes value) {
  return guarded([&]() -> int {
    require(multimap);
    return multimap->view().contains(bytes(key), bytes(value)) ? QUIRE_OK : QUIRE_NOT_FOUND;
  });
}

int quire_multimap_insert(quire_multimap* multimap, quire_bytes key, quire_bytes value) {
  return guarded([&]() -> int {
    return changing(multimap).insert(bytes(key), bytes(value)) ? QUIRE_OK : QUIRE_EXISTS;
  });
}

int quire_multimap_erase(quire_multimap* multimap, quire_bytes key, quire_bytes value) {
  return guarded([&]() -> int {
    return changing(multimap).erase(bytes(key), bytes(value)) ? QUIRE_OK : QUIRE_NOT_FOUND;
  });
}

int quire_multimap_erase_key(quire_multimap* multimap, quire_bytes key, uint64_t* erased) {
  return guarded([&]() -> int {
    const std::uint64_t count = changing(multimap).erase(bytes(key));
    if (count == 0) return QUIRE_NOT_FOUND;
    store(erased, count);
    return QUIRE_OK;
  });
}

int quire_multimap_clear(quire_multimap* multimap) {
  return guarded([&]() -> int {
    changing(multimap).clear();
    return QUIRE_OK;
  });
}

int quire_multimap_erase_range(quire_multimap* multimap, const quire_bytes* first,
                               const quire_bytes* limit, uint64_t* erased) {
  return guarded([&]() -> int {
    quire::Multimap& changed = changing(multimap);
    store(erased, changed.erase_keys(bytes(first).value_or(quire::Bytes()), bytes(limit)));
    return QUIRE_OK;
  });
}

int quire_multimap_erase_prefix(quire_multimap* multimap, quire_bytes prefix, uint64_t* erased) {
  return guarded([&]() -> int {
    store(erased, changing(multimap).erase_prefix(bytes(prefix)));
    return QUIRE_OK;
  });
}

int quire_multimap_estimate(const quire_multimap* multimap, const quire_bytes* first,
                            const quire_bytes* limit, uint64_t* key_count) {
  return guarded([&]() -> int {
    require(multimap, key_count);
    *key_count = multimap->view().estimate(bytes(first).value_or(quire::Bytes()), bytes(limit));
    return QUIRE_OK;
  });
}

int quire_multimap_sample(const quire_multimap* multimap, size_t count, quire_bytes* keys,
                          size_t* found) {
  return guarded([&]() -> int {
    require(multimap, found);
    const std::vector<quire::KeyCursor> sampled = multimap->view().sample(count);
    for (std::size_t i = 0; keys != nullptr && i < sampled.size(); ++i) {
      keys[i] = handed_out(sampled[i].key());
    }
    *found = sampled.size();
    return QUIRE_OK;
  });
}
