#include <quire/quire.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include <unistd.h>

#include "database_arguments.h"
#include "dispatch.h"
#include "line_editor.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr std::size_t kCandidatesMax = 100;

// Those of one line that a database is asked with: they take FILE first, and are short. What takes
// another file as well finds it where the shell was started.
const std::vector<std::string>& commands_with_table() {
  static const std::vector<std::string> names = {"put",  "insert", "get",   "del",
                                                 "list", "load",   "import"};
  return names;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Blanks part words; what stands between two " or two ' is one, or a part of one, and a backslash
// outside of ' takes the next character as it is.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool is_open = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char byte = line[i];
    if (quote != 0 && byte == quote) {
      quote = 0;
    } else if (quote == 0 && (byte == '"' || byte == '\'')) {
      quote = byte;
      is_open = true;
    } else if (byte == '\\' && quote != '\'' && i + 1 < line.size()) {
      word += line[++i];
      is_open = true;
    } else if (quote == 0 && (byte == ' ' || byte == '\t')) {
      if (is_open) words.push_back(std::exchange(word, {}));
      is_open = false;
    } else {
      word += byte;
      is_open = true;
    }
  }
  if (quote != 0) throw Failure(ExitCode::usage, "a quotation mark is missing");
  if (is_open) words.push_back(word);
  return words;
}

std::string history_file() {
  if (const char* chosen = std::getenv("KVTOOL_HISTORY")) return chosen;
  const char* home = std::getenv("HOME");
  return home == nullptr ? "" : std::string(home) + "/.kvtool_history";
}

class Shell {
 public:
  explicit Shell(const DatabaseArguments& database)
      : arguments_(database),
        database_(open_to_read(database)),
        editor_(history_file(), [this](const std::string& line) { return complete(line); }) {}

  ExitCode run() {
    ExitCode last = ExitCode::done;
    while (const auto line = editor_.next(prompt())) {
      try {
        const std::vector<std::string> words = words_of(*line);
        if (words.empty()) continue;
        if (words[0] == "quit" || words[0] == "exit") return ExitCode::done;
        last = obey(words);
      } catch (const Failure& failure) {
        std::cerr << "kvtool shell: " << escaped(failure.what()) << '\n';
        last = failure.code();
      }
    }
    if (::isatty(STDIN_FILENO) == 1) std::cout << '\n';
    return last;
  }

 private:
  std::string prompt() const {
    const std::string name = std::filesystem::path(arguments_.file).filename().string();
    return escaped(name) + (table_.empty() ? "" : ":" + escaped(table_)) + "> ";
  }

  ExitCode obey(const std::vector<std::string>& words) {
    if (words[0] == "help" || words[0] == "?") return help(words);
    if (words[0] == "use") {
      if (words.size() > 2) throw Failure(ExitCode::usage, "use takes one table, or none");
      table_ = words.size() == 2 ? words[1] : "";
      return ExitCode::done;
    }
    if (words[0] == "shell") throw Failure(ExitCode::usage, "this is one");
    std::vector<std::string> all = {words[0]};
    if (words[0] != "bench") all.push_back(arguments_.file);
    if (!table_.empty() && has(commands_with_table(), words[0]) && !has(words, "--table")) {
      all.insert(all.end(), {"--table", table_});
    }
    all.insert(all.end(), words.begin() + 1, words.end());
    return run_words(all);
  }

  static ExitCode help(const std::vector<std::string>& words) {
    if (words.size() > 1) return run_words({words[1], "--help"});
    for (const Command* command : commands()) {
      std::string name = command->name;
      name.resize(std::max<std::size_t>(10, name.size()), ' ');
      std::cout << "  " << name << command->summary << '\n';
    }
    std::cout << "  use       Go to a table; without a name, to the default one\n"
                 "  help      This, or more about a command\n"
                 "  quit      Leave\n"
                 "FILE is known here, and so is the table; quote blanks with \" or '.\n";
    return ExitCode::done;
  }

  std::vector<std::string> complete(const std::string& line) const {
    const std::size_t last = line.find_last_of(" \t");
    const std::string begun = last == std::string::npos ? line : line.substr(last + 1);
    const std::string first = line.substr(0, line.find_first_of(" \t"));
    try {
      if (last == std::string::npos) return complete_command(begun);
      if (first == "use" || line.ends_with("--table " + begun)) return complete_table(begun);
      if (first == "help") return complete_command(begun);
      return complete_key(begun);
    } catch (const std::exception&) {
      return {};
    }
  }

  static std::vector<std::string> complete_command(const std::string& begun) {
    std::vector<std::string> names;
    for (const Command* command : commands()) names.emplace_back(command->name);
    names.insert(names.end(), {"use", "help", "quit"});
    std::erase_if(names, [&](const std::string& name) { return !name.starts_with(begun); });
    return names;
  }

  std::vector<std::string> complete_table(const std::string& begun) const {
    std::vector<std::string> names = database_.snapshot().tables();
    std::erase_if(names, [&](const std::string& name) { return !name.starts_with(begun); });
    return names;
  }

  // Of those that can be typed.
  std::vector<std::string> complete_key(const std::string& begun) const {
    std::vector<std::string> keys;
    const auto add = [&](Bytes key) {
      if (escaped(key) == key && key.find_first_of(" \"'") == Bytes::npos) keys.emplace_back(key);
    };
    const quire::Snapshot now = database_.snapshot();
    if (now.is_multimap(table_)) {
      const quire::MultimapView multimap = now.multimap(table_);
      for (auto at = multimap.lower_bound(begun);
           keys.size() < kCandidatesMax && !at.at_end() && at.key().starts_with(begun);
           at = multimap.upper_bound(at.key())) {
        add(at.key());
      }
      return keys;
    }
    for (const auto [key, value] : now.table(table_).prefix(begun)) {
      if (keys.size() == kCandidatesMax) break;
      add(key);
    }
    return keys;
  }

  const DatabaseArguments& arguments_;
  quire::Database database_;  // so that commands find it open
  std::string table_;
  LineEditor editor_;
};

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<DatabaseArguments>();
  add_file(command, *arguments);
  return [arguments](Output&) { return Shell(*arguments).run(); };
}

}  // namespace

const Command kShell = {"shell", "Type commands about one database",
                        "Every command of kvtool, without its FILE. `use TABLE` goes to a table, "
                        "`help` lists\nthe rest. The tabulator key completes commands, tables and "
                        "keys; lines are remembered\nin ~/.kvtool_history, or where "
                        "KVTOOL_HISTORY says (empty: nowhere). Reads standard\ninput when that "
                        "is no terminal.\n\n"
                        "Examples:\n"
                        "  kvtool shell people.quire\n"
                        "  echo 'get ada' | kvtool shell people.quire",
                        declare};

}  // namespace kvtool
