#include "shared/process.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <fstream>

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quire::shared {
namespace {

// The letter behind the command in /proc/PID/task/TID/stat: R, S, T, ...; 0 when there is none.
char state_of(const ProcessThread& thread) {
  std::ifstream file("/proc/" + std::to_string(thread.pid) + "/task/" +
                     std::to_string(thread.thread_id != 0 ? thread.thread_id : thread.pid) +
                     "/stat");
  std::string line;
  std::getline(file, line);
  const auto command_end = line.rfind(") ");
  return command_end == std::string::npos || command_end + 2 >= line.size() ? char{}
                                                                            : line[command_end + 2];
}

thread_local std::uint32_t known_thread_id = 0;

}  // namespace

// The thread that survives in a forked child is another one.
std::uint32_t this_thread_id() noexcept {
  if (known_thread_id == 0) {
    [[maybe_unused]] static const int watching =
        pthread_atfork(nullptr, nullptr, [] { known_thread_id = 0; });
    known_thread_id = static_cast<std::uint32_t>(::gettid());
  }
  return known_thread_id;
}

std::string command_of(const ProcessSlot& slot) {
  std::array<char, sizeof slot.command> bytes = {};
  for (std::size_t index = 0; index < slot.command.size(); ++index) {
    const std::uint64_t word = slot.command[index].load(std::memory_order_relaxed);
    std::memcpy(bytes.data() + index * sizeof word, &word, sizeof word);
  }
  return {bytes.begin(), std::find(bytes.begin(), bytes.end(), '\0')};
}

std::uint64_t coarse_nanos() noexcept {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNanosPerSecond +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t pid_namespace_here() noexcept {
  struct stat status = {};
  return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

ProcessThread thread_at(const Region& region, std::uint64_t packed) {
  ProcessThread thread;
  thread.thread_id = packed >> 32;
  const std::uint64_t process = (packed & UINT32_MAX) - 1;
  if (process >= kProcessSlotsMax || process >= region.control().process_slot_count.load()) {
    return thread;
  }
  const ProcessSlot& slot = region.process(process);
  thread.pid = slot.pid.load(std::memory_order_relaxed);
  thread.command = command_of(slot);
  thread.is_in_our_namespace =
      slot.pid_namespace.load(std::memory_order_relaxed) == pid_namespace_here();
  return thread;
}

std::string text_of(const ProcessThread& thread) {
  std::string text = "process " + std::to_string(thread.pid) + " (" + thread.command + ")";
  if (!thread.is_in_our_namespace) text += " of another PID namespace";
  if (thread.thread_id != 0) text += ", thread " + std::to_string(thread.thread_id);
  if (!thread.is_in_our_namespace) return text;
  const char state = state_of(thread);
  if (state == 'T' || state == 't') text += ", stopped";
  return text;
}

}  // namespace quire::shared
