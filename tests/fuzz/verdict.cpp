#include "fuzz/verdict.h"

#include <cstdio>
#include <cstdlib>
#include <regex>

namespace quire::fuzz {

void finding(const std::string& what) {
  std::fprintf(stderr, "finding: %s\n", what.c_str());
  std::abort();
}

void judge(const Error& error) {
  switch (static_cast<Errc>(error.code().value())) {
    case Errc::not_a_database:
    case Errc::wrong_version:
    case Errc::no_space:
    case Errc::too_large:
    case Errc::misuse:
      return;
    case Errc::corrupt:
      break;
    default:  // nothing in a file makes the system refuse a call
      finding(std::string("an error that no file should cause: ") + error.what());
  }
  static const std::regex places("(page \\d+|log position \\d+|meta page[^:]*): [^:;]{8,}");
  static const std::regex metas("both meta pages are damaged");
  const std::string text = error.what();
  if (!std::regex_search(text, places) && !std::regex_search(text, metas)) {
    finding("corrupt, but neither place nor reason: " + text);
  }
}

void judge(const CheckReport& report) {
  if (report.faults.size() > report.fault_count) finding("check keeps more faults than it counts");
  for (const Fault& fault : report.faults) {
    if (fault.reason.size() < 8) finding("a fault without a reason");
  }
}

}  // namespace quire::fuzz
