// QUIRE_ASSERT states what our own code guarantees; a failure is a bug in quire and ends the
// process. It never judges bytes from a file, arguments or the system: those throw `Error`.
#pragma once

namespace quire {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace quire

#define QUIRE_ASSERT(condition)           \
  (static_cast<bool>(condition) ? void(0) \
                                : ::quire::assertion_failed(#condition, __FILE__, __LINE__))
