#include "help_formatter.h"

namespace kvtool {

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_positional() || option->get_type_size() == 0) return "";
  // Behind the word stand the conditions on it.
  const std::string type = option->get_type_name();
  return " " + type.substr(0, type.find(':'));
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  std::string text = option->get_description();
  const std::string type = option->get_type_name();
  const std::size_t first = type.find(":{");
  if (first != std::string::npos && type.ends_with('}')) {
    std::string choices = type.substr(first + 2, type.size() - first - 3);
    for (std::size_t at = choices.find(','); at != std::string::npos;
         at = choices.find(',', at + 2)) {
      choices.insert(at + 1, " ");
    }
    text += "; one of " + choices;
  }
  if (!option->get_default_str().empty()) text += "; default " + option->get_default_str();
  return text;
}

}  // namespace kvtool
