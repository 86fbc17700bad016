#include "crash/simulator.h"

#include <chrono>
#include <cstring>
#include <iostream>
#include <utility>

#include <xxhash.h>

#include "crash/small_file.h"

namespace quire::crash {
namespace {

constexpr std::uint64_t kBaseTxns[] = {1, (std::uint64_t{1} << 32) - 40};  // ids pass 2^32
constexpr std::uint64_t kFirstNumber = 1000;
constexpr std::uint64_t kShortStepsMax = 3;
constexpr std::uint64_t kLongSteps = 24;
constexpr std::size_t kNestedSteps = 3;        // after the recovery
constexpr std::uint64_t kMoments = 4;          // of a workload, in the first round
constexpr std::uint64_t kNestedOneIn = 48;     // recoveries that are crashed themselves
constexpr std::uint64_t kNestedKillOneIn = 8;  // the same after a kill
constexpr std::uint64_t kKillOneIn = 4;        // moments at which everything is killed as well
// Moments at which a meta is stored and not flushed decide most and are few.
constexpr std::uint64_t kMetaMomentsOneIn = 4;
constexpr std::uint64_t kMetaKillOneIn = 2;
constexpr std::uint64_t kNestedMetaKillOneIn = 4;
constexpr std::uint64_t kNestedTornMetaOneIn = 6;
constexpr std::uint64_t kDamageOneIn = 4;         // moments at which something is damaged as well
constexpr std::uint64_t kFaultOneIn = 8;          // recoveries whose first attempt meets a fault
constexpr std::uint64_t kNestedMomentsOneIn = 6;  // moments after such a recovery

std::uint64_t power(std::uint64_t base, std::uint64_t exponent) {
  std::uint64_t result = 1;
  while (exponent-- > 0) result *= base;
  return result;
}

// All sequences of up to three steps, and among them long ones; visited with a stride, so that a
// part of them is a sample of all.
constexpr std::uint64_t kStride = 2'147'483'647;  // a prime: every workload has its turn
constexpr std::uint64_t kLongOneIn = 8;
constexpr std::uint64_t workload_count() {
  const std::uint64_t shorts =
      kStepCount + kStepCount * kStepCount + kStepCount * kStepCount * kStepCount;
  return shorts * kLongOneIn / (kLongOneIn - 1) + 1;
}

}  // namespace

Simulator::Simulator(const SimulatorOptions& options) : options_(options), random_(options.seed) {
  for (const std::uint64_t first_txn : kBaseTxns) bases_.push_back(make_base(first_txn));
}

// A file that was used for a little while and closed.
Simulator::Base Simulator::make_base(std::uint64_t first_txn) {
  machine_.drive().forget();
  std::vector<ContentId> pages;
  for (const Page& page : small_file(first_txn)) {
    pages.push_back(machine_.drive().contents().intern(page.data()));
  }
  machine_.boot(pages, false);
  machine_.open();
  History history{Model{}};
  Actor actor(machine_, history, kFirstNumber, random_);
  for (const Step step : {Step::put, Step::put, Step::table, Step::large, Step::put}) {
    actor.take(step);
  }
  actor.finish();
  Base base{.pages = {}, .model = history.newest()};
  machine_.drive().capture();
  for (const PageState& page : machine_.drive().state().pages) {
    base.pages.push_back(machine_.drive().contents()[page.latest]);
  }
  return base;
}

Counts Simulator::run() {
  const auto start = std::chrono::steady_clock::now();
  const auto is_over = [&] {
    const auto spent = std::chrono::steady_clock::now() - start;
    return counts_.states() >= options_.states ||
           (options_.seconds_max != 0 && spent >= std::chrono::seconds(options_.seconds_max));
  };
  for (std::uint64_t round = options_.round;; ++round) {
    growth_ = std::uint64_t{1} << std::min<std::uint64_t>(2 * round, 14);
    for (std::uint64_t index = options_.part; index < workload_count(); index += options_.parts) {
      const std::uint64_t workload = index * kStride % workload_count();
      if (options_.only_workload >= 0 &&
          workload != static_cast<std::uint64_t>(options_.only_workload)) {
        continue;
      }
      run_workload(workload, round);
      if (is_over()) return counts_;
    }
    if (options_.only_workload >= 0) return counts_;
  }
}

std::vector<Step> Simulator::steps_of(std::uint64_t workload, Random& random) const {
  std::vector<Step> steps;
  const bool is_long = workload % kLongOneIn == kLongOneIn - 1;
  if (is_long) {
    while (steps.size() < kLongSteps) steps.push_back(static_cast<Step>(random.below(kStepCount)));
    return steps;
  }
  workload -= workload / kLongOneIn;
  std::uint64_t length = 1;
  while (length < kShortStepsMax && workload >= power(kStepCount, length)) {
    workload -= power(kStepCount, length++);
  }
  for (std::uint64_t index = 0; index < length; ++index) {
    steps.push_back(static_cast<Step>(workload % kStepCount));
    workload /= kStepCount;
  }
  return steps;
}

void Simulator::run_workload(std::uint64_t workload, std::uint64_t round) {
  random_ = Random(options_.seed ^ XXH3_64bits_withSeed(&workload, sizeof workload, round));
  const Base& base = bases_[random_.below(bases_.size())];
  const std::vector<Step> steps = steps_of(workload, random_);
  std::vector<Cut> cuts;
  try {
    machine_.drive().forget();
    std::vector<ContentId> pages;
    for (const Page& page : base.pages) {
      pages.push_back(machine_.drive().contents().intern(page.data()));
    }
    machine_.boot(pages, true);
    History history{base.model};
    record(&cuts, &history, nullptr);
    machine_.open();
    Actor actor(machine_, history, kFirstNumber + 100, Random(random_.next()));
    for (const Step step : steps) actor.take(step);
    actor.finish();
    record(nullptr, nullptr, nullptr);
    ++counts_.workloads;
    explore(cuts, history, 1);
  } catch (const std::exception& error) {
    machine_.abandon();
    throw Failure(std::string{error.what()} + "\n  steps: " + names_of(steps) +
                  "\n  again: --seed " + std::to_string(options_.seed) + " --round " +
                  std::to_string(round) + " --workload " + std::to_string(workload));
  }
}

// From now on every moment becomes a cut: with the window that the history has then, or a fixed
// one.
void Simulator::record(std::vector<Cut>* cuts, const History* history, const Window* fixed) {
  if (cuts == nullptr) {
    machine_.seam().on_moment = nullptr;
    return;
  }
  machine_.seam().on_moment = [=, this](const std::string& place) {
    if (options_.is_traced) trace(place);
    if (fixed != nullptr) watch_torn_metas();
    cuts->push_back({place, machine_.drive().state(), fixed != nullptr ? *fixed : history->window(),
                     machine_.region(), machine_.seam().has_failed(), fixed != nullptr});
  };
}

// Before recovery's own checkpoint begins, a torn one stays as it was found: bytes that
// were never whole must not become valid by being written again.
void Simulator::watch_torn_metas() {
  if (machine_.seam().checkpoint_count() != checkpoints_before_) return;
  for (const auto& [page, content] : torn_metas_) {
    if (machine_.drive().state().pages[page].latest != content) is_torn_meta_touched_ = true;
  }
}

void Simulator::find_torn_metas() {
  torn_metas_.clear();
  is_torn_meta_touched_ = false;
  checkpoints_before_ = machine_.seam().checkpoint_count();
  for (const std::uint64_t offset : format::kMetaOffset) {
    const std::size_t page = offset / kPageBytes;
    const ContentId content = machine_.drive().state().pages[page].latest;
    format::Meta meta;
    std::memcpy(static_cast<void*>(&meta), machine_.drive().contents()[content].data(),
                sizeof meta);
    if (format::judge(meta) != format::MetaFault::none) torn_metas_.emplace_back(page, content);
  }
}

// A line per moment: where it is, and what the metas say ("*": not flushed).
void Simulator::trace(const std::string& place) {
  std::cout << place << ":";
  for (const std::uint64_t offset : format::kMetaOffset) {
    const PageState& page = machine_.drive().state().pages[offset / kPageBytes];
    format::Meta meta;
    std::memcpy(static_cast<void*>(&meta), machine_.drive().contents()[page.latest].data(),
                sizeof meta);
    std::cout << " [checkpoint " << meta.checkpoint << " txn " << meta.txn << " map "
              << meta.map[meta.current_map].first_page << (meta.clean == 1 ? " clean" : "")
              << (format::judge(meta) == format::MetaFault::none ? "" : " damaged")
              << (page.is_dirty ? " *]" : "]");
  }
  std::cout << "\n";
}

void Simulator::explore(const std::vector<Cut>& cuts, const History& history, unsigned depth) {
  const std::uint64_t tried =
      depth > 1 ? cuts.size() : kMoments * growth_ * (1 + cuts.size() / 500);
  for (const Cut& cut : cuts) {
    const bool is_chosen = random_.below(cuts.size()) < tried;
    if (!is_chosen && !(cut.has_meta_in_flight() && random_.one_in(kMetaMomentsOneIn))) continue;
    if (depth > 1 && !cut.is_in_recovery && !random_.one_in(kNestedMomentsOneIn)) continue;
    ++counts_.moments;
    explore_power(cut, history, depth);
    if (random_.one_in(cut.has_meta_in_flight() ? kMetaKillOneIn : kKillOneIn)) {
      explore_kill(cut, history, depth);
    }
  }
}

void Simulator::explore_power(const Cut& cut, const History& history, unsigned depth) {
  PowerCuts cuts(machine_.drive().contents(), cut);
  const std::uint64_t limit = depth == 1 ? growth_ : 1;
  std::vector<Image> images = cuts.choose(limit, random_);
  if (random_.one_in(kDamageOneIn)) {
    const Damage damage = random_.one_in(2) ? Damage::meta : Damage::record;
    if (auto image = cuts.damaged(damage, random_)) images.push_back(*std::move(image));
  }
  if (auto image = cuts.with_torn_meta(random_)) images.push_back(*std::move(image));
  for (const Image& image : images) {
    if (!is_new(image.hash)) continue;
    ++(image.damage == Damage::none ? counts_.power_cuts : counts_.damaged);
    if (depth > 1) ++counts_.in_recovery;
    judge_image(image,
                {&cut, &history, image.damage, false, image.has_torn_meta, depth, image.hash});
  }
}

void Simulator::explore_kill(const Cut& cut, const History& history, unsigned depth) {
  std::vector<std::uint64_t> hashes;
  for (const PageState& page : cut.drive.pages) {
    hashes.push_back(machine_.drive().contents().hash(page.latest));
    if (page.is_dirty) hashes.push_back(machine_.drive().contents().hash(page.durable));
  }
  const std::uint64_t hash = XXH3_64bits(hashes.data(), hashes.size() * sizeof hashes[0]);
  if (!is_new(hash)) return;
  ++counts_.kills;
  if (depth > 1) ++counts_.in_recovery;
  try {
    machine_.seam().start_anew(cut.has_failed);
    machine_.restart(cut.drive, cut.region);
    judge({&cut, &history, Damage::none, true, false, depth, hash});
  } catch (const std::exception& error) {
    machine_.abandon();
    throw Failure(std::string{error.what()} + "\n  everything killed at \"" + cut.place + "\"");
  }
}

void Simulator::judge_image(const Image& image, const Case& which) {
  try {
    machine_.boot(image.pages, image.hash % 2 == 0);
    judge(which);
  } catch (const std::exception& error) {
    machine_.abandon();
    throw Failure(std::string{error.what()} + "\n  power cut at \"" + which.cut->place +
                  "\": " + image.what + ", " + std::to_string(image.pages.size()) + " pages");
  }
}

void Simulator::judge(const Case& which) {
  const bool may_go_deeper = which.depth < options_.depth && which.damage == Damage::none;
  const std::uint64_t nested_one_in = which.has_torn_meta               ? kNestedTornMetaOneIn
                                      : !which.is_kill                  ? kNestedOneIn
                                      : which.cut->has_meta_in_flight() ? kNestedMetaKillOneIn
                                                                        : kNestedKillOneIn;
  if (may_go_deeper && Random(which.hash ^ options_.seed).one_in(nested_one_in)) {
    // What is chosen in there follows from the state alone, so that a replay meets the same.
    const Random outside = std::exchange(random_, Random(which.hash + options_.seed));
    judge_recorded(which);
    random_ = outside;
    return;
  }
  std::uint64_t hash = 0;
  try {
    if (Random(which.hash - options_.seed).one_in(kFaultOneIn)) recover_into_a_fault(which);
    open_and_find(which, &hash);
    machine_.seam().on_moment = nullptr;
  } catch (const Error& error) {
    if (which.damage == Damage::record && error.code() == Errc::corrupt) return;
    throw;
  }
  // A meta that was torn stays so until a commit stores both.
  expect_sound("opened after a crash", true);
  const bool is_written = hash % 2 == 0 && write_and_erase(which, hash);
  machine_.close();
  machine_.open();
  if (hash_of(machine_.database().snapshot()) != hash) {
    throw Failure("opened a second time, the database holds something else");
  }
  expect_sound("opened a second time", !is_written);
  machine_.close();
}

// The first attempt meets a bad or full disk. Whatever becomes of it, the next one finds the same.
void Simulator::recover_into_a_fault(const Case& which) {
  Random random(which.hash + 1);
  Seam& seam = machine_.seam();
  seam.on_moment = [](const std::string&) {};  // the drive has to follow
  if (random.one_in(3)) {
    seam.fail_write();
  } else if (random.one_in(3)) {
    seam.limit_bytes(machine_.drive().state().length() * kPageBytes);
  } else {
    seam.fail_flush_after(random.below(4));
  }
  try {
    machine_.open();
    machine_.close();
  } catch (const Error& error) {
    const bool is_expected = error.code() == Errc::io || error.code() == Errc::poisoned ||
                             error.code() == Errc::no_space;
    if (!is_expected) throw;
  }
  seam.forget_errors();
  seam.limit_bytes(0);
  ++counts_.faulty;
}

std::size_t Simulator::open_and_find(const Case& which, std::uint64_t* hash) {
  machine_.open();
  const Snapshot snapshot = machine_.database().snapshot();
  *hash = hash_of(snapshot);
  const Window& window = which.cut->window;
  const bool keeps_relaxed = which.is_kill && !machine_.seam().has_failed();
  std::size_t oldest = keeps_relaxed ? window.returned : window.acknowledged;
  if (which.damage == Damage::record) oldest = which.history->durable_before(oldest);
  const auto found = which.history->find(*hash, oldest, window.attempted);
  if (!found) {
    const auto earlier = which.history->find(*hash, 0, oldest);
    throw Failure("the database holds " +
                  (earlier ? "state " + std::to_string(*earlier) : std::string{"no state ever"}) +
                  (machine_.seam().has_failed() ? " after a first attempt on a bad disk" : "") +
                  "; it must be one of " + std::to_string(oldest) + " to " +
                  std::to_string(window.attempted));
  }
  if (!which.history->may_have_id(snapshot.txn(), *hash, window.id_count)) {
    throw Failure("transaction id " + std::to_string(snapshot.txn()) + " was used twice");
  }
  return *found;
}

void Simulator::expect_sound(const char* when, bool may_miss_a_meta) {
  const CheckReport report = check(machine_.database());
  for (const Fault& fault : report.faults) {
    if (may_miss_a_meta && fault.reason.find("meta page") != std::string::npos) continue;
    throw Failure(std::string{when} + ": check: page " + std::to_string(fault.page) + ": " +
                  fault.reason);
  }
}

bool Simulator::write_and_erase(const Case& which, std::uint64_t hash) {
  constexpr std::uint64_t kNothingLikeIt = 0;
  Database& database = machine_.database();
  Transaction transaction = database.begin();
  if (!which.history->may_have_id(transaction.txn(), kNothingLikeIt, which.cut->window.id_count)) {
    throw Failure("transaction id " + std::to_string(transaction.txn()) + " is used twice");
  }
  try {
    transaction.table().put("after the crash", "0123456789");
  } catch (const Error& error) {
    if (error.code() == Errc::no_space) return false;  // as it was before the crash
    throw;
  }
  transaction.commit();
  database.erase("after the crash");
  if (hash_of(database.snapshot()) != hash) throw Failure("a put and an erase left a trace");
  return true;
}

// The recovery itself, and some steps after it, are crashed as well.
void Simulator::judge_recorded(const Case& which) {
  History history = which.history->until(which.cut->window);
  std::vector<Cut> cuts;
  Window window = which.cut->window;
  if (!which.is_kill) window.returned = window.acknowledged;  // relaxed commits may be gone by now
  find_torn_metas();
  record(&cuts, &history, &window);
  std::uint64_t hash = 0;
  const std::size_t found = open_and_find(which, &hash);
  if (is_torn_meta_touched_) throw Failure("recovery wrote a torn meta page again");
  history.recovered(found);
  record(&cuts, &history, nullptr);
  Actor actor(machine_, history, kFirstNumber + 100, Random(random_.next()));
  std::vector<Step> steps;
  try {
    while (steps.size() < kNestedSteps) {
      steps.push_back(static_cast<Step>(random_.below(kStepCount)));
      actor.take(steps.back());
    }
    actor.finish();
    record(nullptr, nullptr, nullptr);
    explore(cuts, history, which.depth + 1);
  } catch (const std::exception& error) {
    throw Failure(std::string{error.what()} + "\n  in or after that recovery: " + names_of(steps));
  }
}

}  // namespace quire::crash
