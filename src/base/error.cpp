#include <quire/error.h>

namespace quire {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "quire"; }
  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::corrupt:
        return "the database is damaged";
      case Errc::not_a_database:
        return "not a quire database";
      case Errc::wrong_version:
        return "made by an incompatible version";
      case Errc::busy:
        return "in use by another process";
      case Errc::no_space:
        return "no space left";
      case Errc::too_large:
        return "too large";
      case Errc::poisoned:
        return "an earlier flush failed";
      case Errc::read_only:
        return "opened read-only";
      case Errc::forked:
        return "used after fork";
      case Errc::misuse:
        return "misuse";
      case Errc::io:
        return "input/output error";
      case Errc::unsupported_filesystem:
        return "unsupported file system";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

}  // namespace quire
