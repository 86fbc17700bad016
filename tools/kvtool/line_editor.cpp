#include "line_editor.h"

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <utility>

#include <unistd.h>
#ifdef KVTOOL_LIBEDIT
#include <editline/readline.h>
#endif

namespace kvtool {

namespace {

#ifdef KVTOOL_LIBEDIT

constexpr int kHistoryLinesMax = 1000;

// The library knows functions only, and one terminal.
LineEditor::Complete complete_line;
std::vector<std::string> candidates;

char* next_candidate(const char*, int state) {
  static std::size_t index = 0;
  if (state == 0) index = 0;
  return index < candidates.size() ? ::strdup(candidates[index++].c_str()) : nullptr;
}

char** complete_word(const char* text, int, int end) {
  candidates = complete_line(std::string(rl_line_buffer, static_cast<std::size_t>(end)));
  rl_attempted_completion_over = 1;  // files are no candidates
  return rl_completion_matches(text, next_candidate);
}

#endif

}  // namespace

#ifdef KVTOOL_LIBEDIT

LineEditor::LineEditor(const std::string& history_file, Complete complete)
    : history_file_(history_file), is_terminal_(::isatty(STDIN_FILENO) == 1) {
  if (!is_terminal_) return;
  complete_line = std::move(complete);
  rl_readline_name = "kvtool";
  rl_attempted_completion_function = complete_word;
  rl_basic_word_break_characters = " \t\n\"'";
  using_history();
  stifle_history(kHistoryLinesMax);
  if (!history_file_.empty()) read_history(history_file_.c_str());
}

LineEditor::~LineEditor() {
  if (is_terminal_ && !history_file_.empty()) write_history(history_file_.c_str());
}

std::optional<std::string> LineEditor::next(const std::string& prompt) {
  std::string line;
  if (!is_terminal_) {
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  const std::unique_ptr<char, decltype(&std::free)> typed(::readline(prompt.c_str()), &std::free);
  if (!typed) return std::nullopt;
  line = typed.get();
  if (!line.empty()) add_history(line.c_str());
  return line;
}

#else

LineEditor::LineEditor(const std::string& history_file, Complete)
    : history_file_(history_file), is_terminal_(::isatty(STDIN_FILENO) == 1) {}

LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::next(const std::string& prompt) {
  if (is_terminal_) std::cout << prompt << std::flush;
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

#endif

}  // namespace kvtool
