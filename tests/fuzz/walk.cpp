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
      table(name);
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
  static void advance(Cursor& cursor, const Cursor& end) {
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

  Snapshot snapshot_;
  bool is_sound_;
  std::uint64_t steps_left_;
  unsigned char touched_ = 0;
};

}  // namespace

void walk(const Database& database, bool is_sound) { Walk(database, is_sound).run(); }

}  // namespace quire::fuzz
