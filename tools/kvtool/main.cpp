// kvtool: a quire database from the shell. This file finds the command and turns its end into an
// exit code.
#include <quire/quire.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <new>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "dispatch.h"
#include "help_formatter.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr const char* kNotes =
    "Exit codes:\n"
    "  0  done\n"
    "  1  no such key or table, the check failed, or something could not be salvaged\n"
    "  2  wrong usage or input\n"
    "  3  refused by the store, or by the system\n\n"
    "--json makes a command report for programs: one object, a list of objects where there are\n"
    "several, or an object per line for entries and for what comes in time. Sizes are in bytes;\n"
    "what is not UTF-8 stands in hexadecimal under NAME_hex. What goes wrong is one line on\n"
    "standard error as ever.\n\n"
    "Example:\n"
    "  kvtool put people.quire ada 'Ada Lovelace'\n"
    "  kvtool get people.quire ada\n"
    "  kvtool list --help";

ExitCode complain(const std::string& who, const std::string& what, ExitCode code) {
  // One line, whatever bytes a key or file name in it has.
  std::cerr << who << ": " << escaped(what) << '\n';
  return code;
}

ExitCode run(const std::string& who, const Run& command) {
  Output output(STDOUT_FILENO);
  try {
    const ExitCode code = command(output);
    output.flush();
    return code;
  } catch (const OutputClosed&) {
    return ExitCode::done;
  } catch (const Failure& failure) {
    return complain(who, failure.what(), failure.code());
  } catch (const quire::Error& error) {
    return complain(who, reason_of(error), ExitCode::refused);
  } catch (const std::bad_alloc&) {
    return complain(who, "not enough memory", ExitCode::refused);
  } catch (const std::exception& error) {
    return complain(who, error.what(), ExitCode::refused);
  }
}

ExitCode usage(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    app.exit(error);  // prints help or version
    return ExitCode::done;
  }
  std::string who = app.get_name();
  for (const CLI::App* command : app.get_subcommands()) {
    who += " " + command->get_name();
  }
  const std::vector<std::string> unknown = app.remaining();
  const std::string what = app.get_subcommands().empty() && !unknown.empty()
                               ? "there is no command " + unknown.front()
                               : error.what();
  return complain(who, what + "; see " + who + " --help", ExitCode::usage);
}

// A database must not be opened under the number of a standard stream: what is printed there would
// go into it.
bool has_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    if (::open("/dev/null", O_RDWR) != descriptor) return false;  // the lowest that is free
  }
  return true;
}

}  // namespace

const std::vector<const Command*>& commands() {
  static const std::vector<const Command*> all = {
      &kPut,     &kInsert,  &kGet,    &kDel,    &kList,    &kLoad,  &kDump,   &kStat,
      &kTables,  &kReaders, &kCheck,  &kCopy,   &kSalvage, &kWatch, &kBackup, &kApply,
      &kCompact, &kImport,  &kExport, &kDoctor, &kTop,     &kBench, &kShell};
  return all;
}

ExitCode run_words(const std::vector<std::string>& words) {
  CLI::App app("Keys and values in one file: look, change, load, dump, verify.", "kvtool");
  app.set_version_flag("--version", std::string("kvtool ") + quire::version());
  app.formatter(std::make_shared<HelpFormatter>());
  app.require_subcommand(1);
  app.footer(kNotes);

  std::string who;
  Run chosen;
  for (const Command* command : commands()) {
    CLI::App* subcommand = app.add_subcommand(command->name, command->summary);
    subcommand->footer(command->notes);
    const Run run_it = command->declare(*subcommand);
    subcommand->callback([&who, &chosen, run_it, command] {
      who = std::string("kvtool ") + command->name;
      chosen = run_it;
    });
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return usage(app, error);
  }
  return run(who, chosen);
}

int run_program(const std::vector<std::string>& words) {
  if (!has_standard_streams()) return static_cast<int>(ExitCode::refused);
  std::signal(SIGPIPE, SIG_IGN);  // a write into a closed pipe then says EPIPE
  return static_cast<int>(run_words(words));
}

}  // namespace kvtool

int main(int argc, char** argv) { return kvtool::run_program({argv + 1, argv + argc}); }
