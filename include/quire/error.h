// How quire reports a broken world. Ordinary outcomes (a key that is absent, a writer that is busy)
// are return values; what the caller cannot have expected (a damaged file, a full disk, a lock that
// is gone) throws one `Error`, whose code says what kind it is and whose text says what, where, and
// what to do.
#pragma once

#include <quire/export.h>

#include <string>
#include <system_error>

namespace quire {

enum class Errc {
  corrupt = 1,     // bytes in the file contradict themselves; the text names page and reason
  not_a_database,  // the file is something else, or too short to be a database
  wrong_version,   // made by a newer quire, or uses a feature this one does not know
  busy,            // other processes hold the file in a way that excludes this open
  no_space,   // disk, quota or address space is exhausted; the transaction is void, the database is
              // fine
  too_large,  // key, value or table name beyond the limits
  poisoned,   // an earlier flush failed; nothing is acknowledged any more until everybody closes
  read_only,  // a write through a database opened read-only
  forked,     // a handle from before fork() used in the child; open the file anew there
  misuse,     // a call that its contract forbids (used after commit, wrong thread, moved-from)
  io,         // the operating system refused a call; the text holds its reason
  unsupported_filesystem  // mappings of that file system are not coherent between processes
};

// The category of `Errc`; its name is "quire".
QUIRE_API const std::error_category& error_category() noexcept;

QUIRE_API std::error_code make_error_code(Errc code) noexcept;

// The only exception that quire throws itself (std::bad_alloc may pass through). `code() ==
// Errc::…` tells the kind.
class QUIRE_API Error : public std::system_error {
 public:
  Error(Errc code, const std::string& what) : std::system_error(make_error_code(code), what) {}
};

}  // namespace quire

template <>
struct std::is_error_code_enum<quire::Errc> : std::true_type {};
