#include "crash/history.h"

#include <algorithm>
#include <utility>

#include <xxhash.h>

namespace quire::crash {
namespace {

class Hash {
 public:
  void add(std::string_view bytes) {
    sum_ = XXH3_64bits_withSeed(bytes.data(), bytes.size(), sum_ + bytes.size());
  }
  std::uint64_t sum() const noexcept { return sum_; }

 private:
  std::uint64_t sum_ = 0;
};

template <typename Table>
void add_table(Hash& hash, std::string_view name, const Table& table) {
  hash.add(name);
  for (const auto& [key, value] : table) {
    hash.add(key);
    hash.add(value);
  }
}

void add_pairs(Hash& hash, std::string_view name, const Model::Pairs& pairs) {
  hash.add(name);
  for (const auto& [key, values] : pairs) {
    for (const std::string& value : values) {
      hash.add(key);
      hash.add(value);
    }
  }
}

// A snapshot's or transaction's.
template <typename Source>
void add_named(Hash& hash, Source& source) {
  for (const std::string& name : source.tables()) {
    if (source.is_multimap(name)) {
      add_table(hash, name, source.multimap(name));
    } else {
      add_table(hash, name, source.table(name));
    }
  }
}

}  // namespace

std::uint64_t hash_of(const Model& model) {
  Hash hash;
  add_table(hash, "", model.table(""));
  for (const std::string& name : model.names()) {
    if (model.is_multimap(name)) {
      add_pairs(hash, name, model.pairs(name));
    } else {
      add_table(hash, name, model.table(name));
    }
  }
  return hash.sum();
}

std::uint64_t hash_of(const Snapshot& snapshot) {
  Hash hash;
  add_table(hash, "", snapshot.table());
  add_named(hash, snapshot);
  return hash.sum();
}

std::uint64_t hash_of(Transaction& transaction) {
  Hash hash;
  add_table(hash, "", transaction.table());
  add_named(hash, transaction);
  return hash.sum();
}

History::History(Model first) {
  const std::uint64_t hash = hash_of(first);
  states_.push_back({std::move(first), hash, 0});
}

void History::attempt(Model next) {
  const std::uint64_t hash = hash_of(next);
  states_.push_back({std::move(next), hash, window_.acknowledged});
  window_.attempted = states_.size() - 1;
}

void History::returned(std::uint64_t txn, bool is_durable) {
  remember_id(txn);
  window_.returned = window_.attempted;
  if (is_durable) all_durable();
}

void History::returned_late(std::size_t index, std::uint64_t txn) {
  ids_.push_back({txn, states_[index].hash});
  window_.id_count = ids_.size();
  window_.returned = index;
  all_durable();
}

void History::refused() {
  states_.push_back(states_[states_.size() - 2]);
  window_.attempted = window_.returned = states_.size() - 1;
}

void History::settled(std::size_t index) {
  State state = states_[index];
  state.durable_before = window_.acknowledged;
  states_.push_back(std::move(state));
  window_.attempted = window_.returned = states_.size() - 1;
}

void History::recovered(std::size_t index) {
  State state = states_[index];
  state.durable_before = window_.acknowledged;
  states_.push_back(std::move(state));
  window_.attempted = window_.returned = window_.acknowledged = states_.size() - 1;
}

History History::until(const Window& window) const {
  History earlier = *this;
  earlier.states_.resize(window.attempted + 1, states_.front());
  earlier.ids_.resize(window.id_count);
  earlier.window_ = window;
  return earlier;
}

void History::remember_id(std::uint64_t txn) {
  ids_.push_back({txn, states_.back().hash});
  window_.id_count = ids_.size();
}

std::optional<std::size_t> History::find(std::uint64_t hash, std::size_t first,
                                         std::size_t last) const {
  for (std::size_t index = last + 1; index-- > first;) {
    if (states_[index].hash == hash) return index;
  }
  return std::nullopt;
}

bool History::may_have_id(std::uint64_t txn, std::uint64_t hash, std::size_t id_count) const {
  return std::none_of(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(id_count),
                      [&](const Id& id) { return id.txn == txn && id.hash != hash; });
}

}  // namespace quire::crash
