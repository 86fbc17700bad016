// How --help looks.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace kvtool {

// An option is its names and one word for its value; what the value may be, and what it is when the
// option is not given, ends its description: "; one of full, relaxed; default full". pages.py reads
// it there.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace kvtool
