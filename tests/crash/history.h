// What a database may hold after a crash: the states that its commits led to, the newest of them
// that must not be lost, and every transaction id that was ever seen.
//
// Threads: one.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reference/model.h"

namespace quire::crash {

using test::Model;

// Hash of all tables' names, keys and values; equal for a model and a database that hold the same.
std::uint64_t hash_of(const Model& model);
std::uint64_t hash_of(const Snapshot& snapshot);
std::uint64_t hash_of(Transaction& transaction);

// Between which states of a history a crash at some moment may land.
struct Window {
  std::size_t acknowledged = 0;  // the oldest one after a power cut: what was promised is there
  std::size_t returned = 0;      // the oldest one after a kill: relaxed commits survive that
  std::size_t attempted = 0;     // the newest one: nothing is there that nobody has written
  std::size_t id_count = 0;      // ids seen until then
};

class History {
 public:
  explicit History(Model first);

  // A commit is about to be asked for. Its state becomes the newest attempted one.
  void attempt(Model next);
  // It returned, with this id; `is_durable`: it and all before it survive a power cut.
  void returned(std::uint64_t txn, bool is_durable);
  // The same of an earlier attempt, on which others have built meanwhile.
  void returned_late(std::size_t index, std::uint64_t txn);
  // It threw: it may or may not survive, and the page cache is not to be trusted.
  void failed() noexcept { window_.returned = window_.acknowledged; }
  // It was refused: nothing happened.
  void refused();
  // A process died in the newest attempt, and another one found this state.
  void settled(std::size_t index);
  void all_durable() noexcept { window_.acknowledged = window_.returned; }
  // The database was opened anew and shows the state with this index, durably.
  void recovered(std::size_t index);

  // The history as it was at an earlier moment.
  History until(const Window& window) const;

  Window window() const noexcept { return window_; }
  const Model& newest() const noexcept { return states_.back().model; }
  const Model& model(std::size_t index) const noexcept { return states_[index].model; }

  // The state of [first, last] that has this hash; the newest of several.
  std::optional<std::size_t> find(std::uint64_t hash, std::size_t first, std::size_t last) const;

  // False when one of the first `id_count` ids is `txn` and stood for something else than `hash`.
  bool may_have_id(std::uint64_t txn, std::uint64_t hash, std::size_t id_count) const;
  // The newest attempted state was seen under this id.
  void remember_id(std::uint64_t txn);

  // The newest state that was durable when the record of state `index` was written: what rule 15
  // promises when that record is whole and one before it is damaged.
  std::size_t durable_before(std::size_t index) const noexcept {
    return states_[index].durable_before;
  }

 private:
  struct State {
    Model model;
    std::uint64_t hash;
    std::size_t durable_before;
  };
  struct Id {
    std::uint64_t txn;
    std::uint64_t hash;
  };
  std::vector<State> states_;
  std::vector<Id> ids_;
  Window window_;
};

}  // namespace quire::crash
