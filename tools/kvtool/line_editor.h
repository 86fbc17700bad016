// Lines that a person types: edited, remembered and completed where libedit is, else as they come.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kvtool {

class LineEditor {
 public:
  // What the last word of a line could become: whole words, in order.
  using Complete = std::function<std::vector<std::string>(const std::string& line)>;

  // `history_file` "": nothing is remembered beyond the shell. One at a time in a process.
  LineEditor(const std::string& history_file, Complete complete);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Nothing at the end of the input. When that is no terminal, no prompt is shown.
  std::optional<std::string> next(const std::string& prompt);

 private:
  std::string history_file_;
  bool is_terminal_;
};

}  // namespace kvtool
