// One command of kvtool. It stands in the source of its name, or of the one that it is the other
// side of: insert in put.cpp, import in load.cpp, export in dump.cpp, apply in backup.cpp.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "failure.h"
#include "output.h"

namespace kvtool {

using Run = std::function<ExitCode(Output& output)>;

struct Command {
  const char* name;
  const char* summary;  // one line
  const char* notes;    // what --help shows below the options, with an example

  // Adds arguments and options; what it returns runs with them.
  Run (*declare)(CLI::App& command);
};

extern const Command kPut;
extern const Command kInsert;
extern const Command kGet;
extern const Command kDel;
extern const Command kList;
extern const Command kLoad;
extern const Command kDump;
extern const Command kStat;
extern const Command kTables;
extern const Command kReaders;
extern const Command kCheck;
extern const Command kCopy;
extern const Command kSalvage;
extern const Command kWatch;
extern const Command kBackup;
extern const Command kApply;
extern const Command kCompact;
extern const Command kImport;
extern const Command kExport;
extern const Command kDoctor;
extern const Command kTop;
extern const Command kBench;
extern const Command kShell;

}  // namespace kvtool
