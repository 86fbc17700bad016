#include "txn/viewer.h"

#include <quire/error.h>

#include <chrono>
#include <thread>

#include "shared/region_view.h"
#include "txn/recovery.h"

namespace quire::txn {
namespace {

constexpr std::chrono::milliseconds kPause{1};
constexpr int kChangingMax = 60'000;  // pauses; longer than most recoveries take

}  // namespace

Viewer::Viewer(const std::filesystem::path& path, const Options& options)
    : data_(path, storage::DataFile::Access::read_only, options.allow_any_filesystem),
      name_(data_.path().string()),
      facts_(read_facts(data_)),
      pins_(data_.lock_descriptor()),
      options_(options) {
  require_fits(options);
  static_cast<void>(pin());  // what is wrong with the file is told now
}

PinnedState Viewer::pin() {
  const std::lock_guard lock(mutex_);
  int changing = 0;
  for (int sightings = 0;; std::this_thread::sleep_for(kPause)) {
    const shared::Attached attached = shared::attached_to(data_);
    if (attached == shared::Attached::changing) {
      if (++changing < kChangingMax) continue;
      throw Error(Errc::busy, name_ +
                                  ": another process has been recovering or closing it for more "
                                  "than a minute; wait for it, or end it if it stands still");
    }
    changing = 0;
    try {
      auto pinned = attached == shared::Attached::nobody ? pin_recovered() : pin_onlooker();
      if (pinned) return std::move(*pinned);
      if (++sightings < shared::kPassingSightingsMax) continue;
    } catch (const Error& error) {
      if (error.code() != Errc::busy || ++sightings >= shared::kPassingSightingsMax) throw;
      continue;
    }
    throw Error(Errc::busy, name_ + ": changes hands faster than it can be looked at; try again");
  }
}

std::optional<PinnedState> Viewer::pin_onlooker() {
  if (!onlooker_) {
    auto onlooker = std::make_shared<Onlooker>(data_.path(), options_);
    require_same_file(*onlooker);
    remember(onlooker);
    onlooker_ = std::move(onlooker);
  }
  auto pinned = onlooker_->pin(pins_);
  if (!pinned) {
    onlooker_.reset();  // the lock file may be another one by now
    return std::nullopt;
  }
  PinnedState result;
  result.pins[0] = std::move(pinned->pin);
  result.onlooker = onlooker_;
  result.sealed = pinned->sealed;
  result.txn = pinned->txn;
  result.state = pinned->state;
  return result;
}

// Pages of the checkpoint stay as they are while it is pinned; values that the log names were born
// after it and are freed, if at all, by a later transaction than the last one in the log. Whoever
// attaches after these pins sees them; whoever has attached before shows, or has changed a meta
// before he changed anything else that was read.
std::optional<PinnedState> Viewer::pin_recovered() {
  const bool is_new = !recovered_ || !is_unchanged_since(metas_);
  if (is_new) recover();
  if (!recovered_) return std::nullopt;
  PinnedState result;
  result.pins[0] = shared::FilePin(pins_, recovered_->recovered().checkpoint);
  result.pins[1] = shared::FilePin(pins_, recovered_->recovered().last_logged);
  if (is_new) shared::unpin_all(recovered_->data().lock_descriptor());
  if (!is_unchanged_since(metas_)) {
    recovered_.reset();
    return std::nullopt;
  }
  result.recovered = recovered_;
  result.sealed = recovered_->checkpointed();
  result.txn = recovered_->visible();
  result.state = recovered_->visible_state();
  return result;
}

void Viewer::recover() {
  recovered_.reset();
  metas_ = read_metas();
  try {
    auto store = std::make_shared<Store>(Store::PrivateView{}, data_.path(), options_);
    require_same_file(*store);
    remember(store);
    recovered_ = std::move(store);
  } catch (const Error&) {
    // Somebody who changes the file under a recovery makes it look damaged.
    if (is_unchanged_since(metas_)) throw;
  }
}

void Viewer::remember(const std::shared_ptr<File>& file) {
  std::erase_if(files_, [](const auto& known) { return known.expired(); });
  files_.push_back(file);
}

Viewer::Metas Viewer::read_metas() const {
  Metas metas(2 * sizeof(format::Meta));
  for (std::size_t slot = 0; slot < 2; ++slot) {
    static_cast<void>(data_.read(format::kMetaOffset[slot],
                                 metas.data() + slot * sizeof(format::Meta), sizeof(format::Meta)));
  }
  return metas;
}

bool Viewer::is_unchanged_since(const Metas& metas) const {
  return shared::attached_to(data_) == shared::Attached::nobody && read_metas() == metas;
}

bool Viewer::is_current(const PinnedState& pinned) {
  const std::lock_guard lock(mutex_);
  return pinned.recovered == nullptr ||
         (pinned.recovered == recovered_ && is_unchanged_since(metas_));
}

void Viewer::require_same_file(const File& file) const {
  if (file.data().identity() == data_.identity()) return;
  throw Error(Errc::busy, name_ + ": the data file was replaced while in use; open it anew");
}

void Viewer::require_fits(const Options& options) const {
  txn::require_fits(facts_, name_, options);
}

void Viewer::guard_sigbus() {
  const std::lock_guard lock(mutex_);
  options_.guard_sigbus = true;
  for (const auto& weak : files_) {
    if (const auto file = weak.lock()) file->guard_sigbus();
  }
}

void Viewer::abandon_after_fork() noexcept {
  abandoned_.store(true);
  pins_.abandon_after_fork();
  for (const auto& weak : files_) {
    if (const auto file = weak.lock()) file->abandon_after_fork();
  }
  data_.abandon_after_fork();
}

}  // namespace quire::txn
