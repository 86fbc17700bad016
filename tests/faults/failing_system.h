// Makes one call of the operating system fail, the n-th use of it or all from there on.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/system.h"

namespace quire::test {

// What fails, and how. Threads: one.
struct FaultPlan {
  std::uint64_t first_use = 0;  // 1 = the first use fails; 0 = none
  bool for_good = false;        // every use from there on
  int error_number = 0;         // 0: half of the bytes are moved (pread and pwrite)
  std::uint64_t uses = 0;       // so far
  std::uint64_t failures = 0;   // so far

  bool strikes() noexcept {
    ++uses;
    const bool is_hit = first_use != 0 && (for_good ? uses >= first_use : uses == first_use);
    failures += is_hit ? 1 : 0;
    return is_hit;
  }
};
inline FaultPlan fault_plan;
inline const storage::System kWholeSystem = storage::system;

template <auto Member>
struct FailingCall;

template <typename Result, typename... Arguments, Result (*storage::System::*Member)(Arguments...)>
struct FailingCall<Member> {
  static Result call(Arguments... arguments) {
    if (!fault_plan.strikes()) return (kWholeSystem.*Member)(arguments...);
    if constexpr (sizeof(Result) == sizeof(ssize_t)) {
      if (fault_plan.error_number == 0) return half(arguments...);
    }
    if constexpr (std::is_same_v<decltype(Member), decltype(&storage::System::close)> &&
                  sizeof...(Arguments) == 1) {
      if (Member == &storage::System::close) (kWholeSystem.*Member)(arguments...);  // closed it is
    }
    errno = fault_plan.error_number;
    // posix_fadvise returns its error.
    if constexpr (std::is_same_v<decltype(Member), decltype(&storage::System::fadvise)>) {
      return fault_plan.error_number;
    } else {
      return -1;
    }
  }

 private:
  template <typename Bytes>
  static ssize_t half(int descriptor, Bytes* bytes, std::size_t count, off_t offset) {
    return (kWholeSystem.*Member)(descriptor, bytes, count > 1 ? count / 2 : count, offset);
  }
};

// One function of the table, and the errors that it can meet.
struct FallibleCall {
  const char* name;
  void (*install)();
  std::vector<int> error_numbers;  // 0: fewer bytes than asked for
};

template <auto Member>
void install_failing() {
  storage::system.*Member = FailingCall<Member>::call;
}

inline const std::vector<FallibleCall>& fallible_calls() {
  using storage::System;
  static const std::vector<FallibleCall> all = {
      {"openat", install_failing<&System::openat>, {EACCES, EMFILE, EIO, ENOSPC, EINTR}},
      {"close", install_failing<&System::close>, {EIO, EINTR}},
      {"fstat", install_failing<&System::fstat>, {EIO, ENOMEM}},
      {"fstatat", install_failing<&System::fstatat>, {EIO, EACCES}},
      {"fstatfs", install_failing<&System::fstatfs>, {EIO, EINTR}},
      {"fchmod", install_failing<&System::fchmod>, {EPERM, EIO}},
      {"fchown", install_failing<&System::fchown>, {EPERM, EDQUOT}},
      {"ioctl", install_failing<&System::ioctl>, {ENOTTY}},
      {"fallocate", install_failing<&System::fallocate>, {ENOSPC, EDQUOT, EIO, EOPNOTSUPP, EINTR}},
      {"ftruncate", install_failing<&System::ftruncate>, {ENOSPC, EIO, EINTR}},
      {"pwrite", install_failing<&System::pwrite>, {ENOSPC, EDQUOT, EIO, EINTR, 0}},
      {"pread", install_failing<&System::pread>, {EIO, EINTR, 0}},
      {"fdatasync", install_failing<&System::fdatasync>, {EIO, ENOSPC, EINTR}},
      {"fsync", install_failing<&System::fsync>, {EIO, ENOSPC, EDQUOT}},
      {"sync_file_range", install_failing<&System::sync_file_range>, {EIO, ENOSYS}},
      {"msync", install_failing<&System::msync>, {EIO, ENOSPC, ENOMEM}},
      {"madvise", install_failing<&System::madvise>, {ENOMEM, EINVAL}},
      {"mincore", install_failing<&System::mincore>, {ENOMEM}},
      {"fadvise", install_failing<&System::fadvise>, {EINVAL}},
      {"linkat", install_failing<&System::linkat>, {ENOSPC, EACCES, EIO}},
      {"unlinkat", install_failing<&System::unlinkat>, {EACCES, EIO}},
      {"lock", install_failing<&System::lock>, {ENOLCK, EIO, EINTR}},
  };
  return all;
}

}  // namespace quire::test
