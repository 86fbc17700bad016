#include "numbers.h"

#include <string>

namespace kvtool {
namespace {

// The empty text accepts. CLI11's own range would name its end, a number of 309 digits.
CLI::Validator number_that(bool (*is_right)(double), const char* rule) {
  return CLI::Validator(
      [=](const std::string& text) -> std::string {
        double number = 0;
        const bool is_number = CLI::detail::lexical_cast(text, number);
        return is_number && is_right(number) ? "" : text + " is not a number " + rule;
      },
      "");
}

}  // namespace

CLI::Validator above_zero() {
  return number_that([](double number) { return number > 0; }, "above 0");
}

CLI::Validator not_below_zero() {
  return number_that([](double number) { return number >= 0; }, "of 0 or above");
}

}  // namespace kvtool
