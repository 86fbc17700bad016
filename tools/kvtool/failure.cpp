#include "failure.h"

namespace kvtool {

std::string reason_of(const quire::Error& error) {
  std::string reason = error.what();
  const std::string suffix = ": " + error.code().message();
  if (reason.ends_with(suffix)) {
    reason.resize(reason.size() - suffix.size());
  }
  if (error.code() == quire::Errc::unsupported_filesystem) {
    reason += "; --any-filesystem opens it all the same";
  }
  return reason;
}

}  // namespace kvtool
