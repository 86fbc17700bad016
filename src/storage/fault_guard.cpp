#include "storage/fault_guard.h"

#include <cerrno>
#include <csignal>
#include <mutex>

#include <sys/mman.h>

#include "storage/mapping.h"

namespace quire::storage {
namespace {

using Note = std::atomic<std::uint64_t>;
static_assert(Note::is_always_lock_free && std::atomic<std::uintptr_t>::is_always_lock_free,
              "a signal handler uses them");

// Never freed, because a handler may be looking at it; used again by the next window.
struct Window {
  std::atomic<std::uintptr_t> first{0};  // 0: not in use
  std::atomic<std::uintptr_t> limit{0};
  std::atomic<Note*> note{nullptr};
  Window* next = nullptr;
};

std::atomic<Window*> windows{nullptr};
std::uint64_t page_bytes = 0;
struct sigaction previous = {};

std::mutex& mutex() {  // of changes of the list; never destroyed
  static std::mutex* const instance = new std::mutex;
  return *instance;
}

// What was lost at an address, and where its loss is noted.
struct Loss {
  Note* note = nullptr;
  std::uint64_t offset = 0;
};

Loss find_loss(std::uintptr_t address) noexcept {
  for (Window* window = windows.load(std::memory_order_acquire); window != nullptr;
       window = window->next) {
    const std::uintptr_t first = window->first.load();
    const std::uintptr_t limit = window->limit.load();
    Note* const note = window->note.load();
    if (first == 0 || note == nullptr || address < first || address >= limit) continue;
    if (window->first.load() != first) continue;  // it was made another one meanwhile
    return {note, address - first};
  }
  return {};
}

// False when the address is not ours, or there is no memory for a page of zeros.
bool replace_page(std::uintptr_t address) noexcept {
  const Loss loss = find_loss(address);
  if (loss.note == nullptr) return false;
  std::uint64_t none = 0;
  loss.note->compare_exchange_strong(none, 1 + loss.offset / page_bytes * page_bytes);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address is all that a signal gives
  void* const page = reinterpret_cast<void*>(address / page_bytes * page_bytes);
  return ::mmap(page, page_bytes, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0) == page;
}

void pass_on(int number, siginfo_t* info, void* context) noexcept {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  } else if (info->si_code > 0 || previous.sa_handler == SIG_DFL) {
    // The end that it would have had: a fault comes again, a signal that was sent is sent again.
    std::signal(number, SIG_DFL);
    if (info->si_code <= 0) ::raise(number);
  }
}

void on_sigbus(int number, siginfo_t* info, void* context) noexcept {
  const int error_number = errno;
  const bool is_missing_page = info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR;
  if (!is_missing_page || !replace_page(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    pass_on(number, info, context);
  }
  errno = error_number;
}

// Requires the mutex.
void install_once() {
  if (page_bytes != 0) return;
  page_bytes = system_page_bytes();
  struct sigaction action = {};
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, nullptr, &previous);  // there before the first fault can come
  ::sigaction(SIGBUS, &action, nullptr);
}

// Requires the mutex.
Window& unused_window() {
  for (Window* window = windows.load(); window != nullptr; window = window->next) {
    if (window->first.load() == 0) return *window;
  }
  auto* made = new Window;
  made->next = windows.load();
  windows.store(made, std::memory_order_release);
  return *made;
}

}  // namespace

FaultGuard::~FaultGuard() { release(); }

void FaultGuard::cover(const std::byte* base, std::uint64_t size_bytes) {
  const std::lock_guard lock(mutex());
  install_once();
  Window& window = unused_window();
  const auto first = reinterpret_cast<std::uintptr_t>(base);
  window.note.store(&note_);
  window.limit.store(first + size_bytes);
  window.first.store(first);
}

// Without the mutex, which a forked child may have inherited locked: nobody else touches windows
// whose note is this one. `first` goes last: then somebody else may take the window.
void FaultGuard::release() noexcept {
  for (Window* window = windows.load(); window != nullptr; window = window->next) {
    if (window->note.load() != &note_) continue;
    window->note.store(nullptr);
    window->first.store(0);
  }
}

void hold_fault_windows() { mutex().lock(); }
void release_fault_windows() noexcept { mutex().unlock(); }

void touch(const char* bytes, std::size_t size_bytes) noexcept {
  if (size_bytes == 0) return;
  for (std::size_t at = 0; at < size_bytes; at += system_page_bytes()) {
    (void)*static_cast<const volatile char*>(bytes + at);
  }
  (void)*static_cast<const volatile char*>(bytes + size_bytes - 1);
}

}  // namespace quire::storage
