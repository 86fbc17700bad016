// Does something before and after every call that quire makes of the operating system.
#pragma once

#include "storage/system.h"

namespace quire::test {

// What the calls report to. Threads: set while no database is open.
struct SystemObserver {
  void (*before)() = nullptr;
  void (*after)() = nullptr;
};
inline SystemObserver system_observer;
inline const storage::System kRealSystem = storage::system;

namespace detail {

template <auto Member>
struct ObservedCall;

template <typename Result, typename... Arguments, Result (*storage::System::*Member)(Arguments...)>
struct ObservedCall<Member> {
  static Result call(Arguments... arguments) {
    if (system_observer.before != nullptr) system_observer.before();
    const Result result = (kRealSystem.*Member)(arguments...);
    if (system_observer.after != nullptr) system_observer.after();
    return result;
  }
};

template <auto... Members>
void observe() {
  ((storage::system.*Members = &ObservedCall<Members>::call), ...);
}

}  // namespace detail

inline void observe_system(const SystemObserver& observer) {
  using storage::System;
  system_observer = observer;
  detail::observe<&System::openat, &System::close, &System::fallocate, &System::ftruncate,
                  &System::pwrite, &System::fdatasync, &System::fsync, &System::msync,
                  &System::madvise, &System::fadvise, &System::linkat, &System::unlinkat,
                  &System::lock>();
}

inline void stop_observing_system() { storage::system = kRealSystem; }

}  // namespace quire::test
