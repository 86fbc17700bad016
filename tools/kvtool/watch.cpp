#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>

#include <sys/wait.h>

#include "command.h"
#include "database_arguments.h"
#include "end_signals.h"
#include "json.h"
#include "numbers.h"

namespace kvtool {

namespace {

struct Arguments {
  DatabaseArguments database;
  std::string command;
  std::optional<std::uint64_t> after;
  std::uint64_t count = 0;     // 0: without end
  double timeout_seconds = 0;  // 0: without end
  bool is_json = false;
};

// The wait is cut into pieces, so that a signal ends the command and not the process: it then
// leaves the file as every other command does.
std::optional<std::uint64_t> wait(const quire::Database& database, std::uint64_t after,
                                  double timeout_seconds) {
  constexpr std::chrono::milliseconds kPiece{100};
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  while (!EndSignals::is_asked_to_end()) {
    if (const auto newest = database.wait_for_commit(after, kPiece)) return newest;
    const std::chrono::duration<double> waited = Clock::now() - start;
    if (timeout_seconds > 0 && waited.count() >= timeout_seconds) {
      throw Failure(ExitCode::negative, "no commit within the timeout");
    }
  }
  return std::nullopt;
}

void execute(const std::string& command, std::uint64_t txn) {
  if (command.empty()) return;
  ::setenv("QUIRE_TXN", std::to_string(txn).c_str(), 1);
  const int status = std::system(command.c_str());
  if (status < 0) throw Failure(ExitCode::refused, "cannot run a shell for " + command);
  // While it runs, interrupts are for the shell alone.
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) EndSignals::ask_to_end();
}

ExitCode watch(const Arguments& arguments, Output& output) {
  const EndSignals signals;
  const quire::Database database = open_to_read(arguments.database);
  std::uint64_t seen = arguments.after ? *arguments.after : database.snapshot().txn();
  for (std::uint64_t number = 1;; ++number) {
    const auto newest = wait(database, seen, arguments.timeout_seconds);
    if (!newest) return ExitCode::done;
    seen = *newest;
    output.write((arguments.is_json ? Json{{"txn", seen}}.dump() : std::to_string(seen)) + "\n");
    output.flush();
    execute(arguments.command, seen);
    if (number == arguments.count) return ExitCode::done;
  }
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command
      .add_option("--exec", arguments->command,
                  "Shell command to run after each; QUIRE_TXN holds the commit's number")
      ->type_name("CMD");
  command.add_option("--after", arguments->after, "Start after this commit, not after the newest")
      ->type_name("TXN");
  command.add_option("--count", arguments->count, "End after so many lines")
      ->check(above_zero())
      ->type_name("N");
  command
      .add_option("--timeout", arguments->timeout_seconds,
                  "End with exit code 1 when no commit comes for so long")
      ->check(above_zero())
      ->type_name("SECONDS");
  command.add_flag("--json", arguments->is_json, "One JSON object per line");
  return [arguments](Output& output) { return watch(*arguments, output); };
}

}  // namespace

const Command kWatch = {"watch", "Print the number of each new commit, whoever makes it",
                        "Commits that come close together, or while CMD runs, show as one line "
                        "with the newest\nnumber. Ends when interrupted.\n\n"
                        "Example:\n"
                        "  kvtool watch people.quire --exec 'kvtool get people.quire ada'",
                        declare};

}  // namespace kvtool
