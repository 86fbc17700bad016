#include "fuzz/walk.h"

#include <filesystem>
#include <iterator>
#include <string>

#include "fuzz/verdict.h"

namespace quire::fuzz {
namespace {

class Walk {
 public:
  Walk(const Database& database, bool is_sound)
      : snapshot_(database.snapshot()),
        is_sound_(is_sound),
        // No page holds more entries than this, and no tree more pages than the file.
        steps_left_(std::filesystem::file_size(database.path()) / 10 * 4 + 100) {}

  void run() {
    table("");
    for (const std::string& name : snapshot_.tables()) {
      step();
      if (snapshot_.is_multimap(name)) {
        multimap(name);
      } else {
        table(name);
      }
    }
  }

 private:
  void step() {
    if (--steps_left_ == 0) finding("a walk that does not end");
  }

  void touch(Bytes bytes) {
    if (!bytes.empty()) touched_ += static_cast<unsigned char>(bytes.front() ^ bytes.back());
  }

  void table(const std::string& name) {
    const TableView view = snapshot_.table(name);
    const std::uint64_t forwards = go(view, true);
    const std::uint64_t backwards = go(view, false);
    if (!is_sound_) return;
    if (forwards != backwards) finding("a sound table holds more in one direction");
    if (forwards != view.size()) finding("a sound table miscounts its entries");
  }

  // Of one that is not sound, many keys may lead to the same values: then it is left before its
  // end.
  void multimap(const std::string& name) {
    const MultimapView view = snapshot_.multimap(name);
    std::uint64_t forwards = 0;
    PairCursor cursor = view.begin();
    while (cursor != view.end()) {
      if (is_sound_) step();
      if (!is_sound_ && ++forwards == kUnsoundPairsMax) return;
      visit(view, *cursor);
      advance(cursor, view.end());
      if (is_sound_) ++forwards;
    }
    std::uint64_t backwards = 0;
    for (cursor = view.end(); cursor != view.begin(); ++backwards) {
      if (!is_sound_ && backwards == kUnsoundPairsMax) return;
      --cursor;
      touch(cursor.value());
    }
    if (!is_sound_) return;
    if (forwards != backwards) finding("a sound multimap holds more in one direction");
    if (forwards != view.size()) finding("a sound multimap miscounts its pairs");
  }

  void visit(const MultimapView& view, const Entry& pair) {
    touch(pair.key);
    touch(pair.value);
    const bool is_there = view.contains(pair.key, pair.value);
    if (is_sound_ && !is_there) finding("a pair of a sound multimap is not found");
  }

  std::uint64_t go(const TableView& view, bool forwards) {
    const Cursor end = view.end();
    Cursor cursor = forwards ? view.begin() : end;
    const Cursor limit = forwards ? end : view.begin();
    std::uint64_t count = 0;
    while (cursor != limit) {
      step();
      if (!forwards) --cursor;
      visit(view, *cursor);
      ++count;
      if (forwards) advance(cursor, end);
    }
    return count;
  }

  // A cursor that has met damage must not seem to have come to an entry.
  template <typename Position>
  static void advance(Position& cursor, const Position& end) {
    try {
      ++cursor;
    } catch (const Error&) {
      if (cursor != end) finding("a cursor that goes on after an error");
      throw;
    }
  }

  void visit(const TableView& view, const Entry& entry) {
    touch(entry.key);
    touch(entry.value);
    const auto found = view.get(entry.key);
    if (found) touch(*found);
    if (is_sound_ && (!found || *found != entry.value)) {
      finding("an entry of a sound table is not found by its key");
    }
  }

  static constexpr std::uint64_t kUnsoundPairsMax = 20'000;

  Snapshot snapshot_;
  bool is_sound_;
  std::uint64_t steps_left_;
  unsigned char touched_ = 0;
};

}  // namespace

void walk(const Database& database, bool is_sound) { Walk(database, is_sound).run(); }

}  // namespace quire::fuzz
