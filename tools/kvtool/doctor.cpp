#include <quire/quire.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "command.h"
#include "database_arguments.h"
#include "findings.h"
#include "json.h"
#include "progress.h"
#include "text.h"

namespace kvtool {

namespace {

constexpr std::uint64_t kSlowSeconds = 60;
constexpr double kMuch = 0.5;           // of the file: free, pending or pinned
constexpr double kLogAlmostFull = 0.9;  // a checkpoint should have come long before
constexpr double kDiskAlmostFull = 0.05;
constexpr std::uint64_t kSmallBytes = 16 << 20;  // files up to here are not worth a word
constexpr std::chrono::milliseconds kWriterPatience{1000};

struct Arguments {
  DatabaseArguments database;
  bool checks_all = false;
  bool is_json = false;
};

enum class Severity { fine, note, problem };

struct Finding {
  Severity severity;
  std::string subject;
  std::string what;
  std::string advice = {};
};

class Doctor {
 public:
  explicit Doctor(const Arguments& arguments) : arguments_(arguments) {}

  std::vector<Finding> examine() {
    if (look()) {
      try {
        open();
      } catch (const quire::Error& error) {
        problem("opening", reason_of(error), "see what it says; kvtool salvage reads what is left");
      }
    }
    return std::move(findings_);
  }

 private:
  void fine(const char* subject, const std::string& what) {
    findings_.push_back({Severity::fine, subject, what});
  }
  void note(const char* subject, const std::string& what, const std::string& advice) {
    findings_.push_back({Severity::note, subject, what, advice});
  }
  void problem(const char* subject, const std::string& what, const std::string& advice) {
    findings_.push_back({Severity::problem, subject, what, advice});
  }

  // Without opening it. False when there is no use in that.
  bool look() {
    try {
      facts_ = quire::look_at(arguments_.database.file);
    } catch (const quire::Error& error) {
      problem("file", reason_of(error),
              error.code() == quire::Errc::corrupt ? "restore a copy, or kvtool salvage"
                                                   : "is this the right file?");
      return false;
    }
    if (facts_.whole_metas == 2) {
      fine("metas", "both are whole");
    } else {
      problem("metas", "one of the two is damaged",
              "the disk may be failing: kvtool backup, then kvtool check");
    }
    judge_filesystem();
    if (facts_.is_in_use) {
      fine("state", "in use");
    } else if (facts_.was_closed) {
      fine("state", "closed in order");
    } else {
      note("state", "the last process was killed, or the system went down",
           "nothing: whoever opens it next recovers it, as this command does now");
    }
    if (facts_.has_lock_file && !facts_.is_in_use && !facts_.was_closed) {
      note("lock file", "is of those who are gone", "nothing: it is made anew");
    }
    return true;
  }

  void judge_filesystem() {
    if (facts_.is_filesystem_supported) {
      fine("file system", facts_.filesystem);
    } else {
      problem("file system", facts_.filesystem + ": its mappings may differ between processes",
              "move the file to ext4, XFS or tmpfs");
    }
    std::error_code unknown;
    const auto space = std::filesystem::space(arguments_.database.file, unknown);
    if (unknown || space.capacity == 0) return;
    const double free = static_cast<double>(space.available) / static_cast<double>(space.capacity);
    if (free < kDiskAlmostFull) {
      problem("disk", "only " + human_bytes(space.available) + " are left",
              "make room: a file that cannot grow takes no more writes");
    } else {
      fine("disk", human_bytes(space.available) + " are left");
    }
  }

  void open() {
    quire::Database database = open_to_read(arguments_.database);
    try {
      static_cast<void>(
          database.wait_for_commit(database.snapshot().txn(), std::chrono::nanoseconds{0}));
    } catch (const quire::Error& error) {
      problem("commits", reason_of(error),
              error.code() == quire::Errc::poisoned
                  ? "a flush has failed: look at the disk, then let every process close it"
                  : "every process that uses it must close it and open it anew");
    }
    const bool is_writable = judge_writer();
    judge_readers(quire::readers(database));
    judge_space(quire::stat(database));
    if (!arguments_.checks_all) return;
    if (!is_writable) {
      note("check", "left out: it would wait for that writer", "once more when it has gone");
      return;
    }
    judge(check(database));
  }

  quire::CheckReport check(const quire::Database& database) const {
    const std::uint64_t page_bytes = database.page_size_bytes();
    Progress progress(!arguments_.is_json);
    return quire::check(database, [&](std::uint64_t done_pages, std::uint64_t total_pages) {
      progress.update_of(done_pages * page_bytes, total_pages * page_bytes);
    });
  }

  void judge(const quire::CheckReport& report) {
    if (report.ok()) {
      fine("check", counted(report.page_count, "page", "pages") + " and " +
                        counted(report.entry_count, "entry", "entries") + " are sound");
    } else {
      problem("check", counted(report.fault_count, "fault", "faults"),
              "kvtool check lists them; restore a copy, or kvtool salvage");
    }
  }

  // Only beside others: alone there is nobody to wait for. False when somebody has to be.
  bool judge_writer() {
    if (!facts_.is_in_use) return true;
    try {
      quire::Database writing = open_to_change(arguments_.database);
      quire::Transaction(writing.begin(kWriterPatience)).rollback();
      fine("writer", "whoever wants to write can");
    } catch (const quire::Error& error) {
      if (error.code() != quire::Errc::busy) return true;
      problem("writer", reason_of(error),
              "let it commit or roll back; when it is stopped or stuck, end that process: "
              "nothing committed is lost");
      return false;
    }
    return true;
  }

  void judge_readers(const std::vector<quire::ReaderInfo>& readers) {
    bool has_slow = false;
    for (const quire::ReaderInfo& reader : readers) {
      const bool pins_much =
          reader.pinned_bytes > kSmallBytes &&
          static_cast<double>(reader.pinned_bytes) > kMuch * static_cast<double>(facts_.file_bytes);
      if (!pins_much && (reader.age_seconds < kSlowSeconds || reader.commits_behind == 0)) continue;
      has_slow = true;
      const std::string who = reader.pid == 0
                                  ? "a process that may only read"
                                  : reader.command + " (" + std::to_string(reader.pid) + ")";
      note("reader",
           who + " has a snapshot open for " + counted(reader.age_seconds, "second", "seconds") +
               ", " + counted(reader.commits_behind, "commit", "commits") + " behind, and keeps " +
               human_bytes(reader.pinned_bytes),
           "let it end its snapshot, and take a new one now and then");
    }
    if (!has_slow) fine("readers", counted(readers.size(), "snapshot", "snapshots") + " open");
  }

  void judge_space(const quire::Statistics& statistics) {
    const auto pages = [&](std::uint64_t count) {
      return human_bytes(count * statistics.page_size_bytes);
    };
    const double all = static_cast<double>(statistics.file_bytes) /
                       static_cast<double>(statistics.page_size_bytes);
    const bool is_small = statistics.file_bytes <= kSmallBytes;
    if (!is_small && static_cast<double>(statistics.free_pages) > kMuch * all) {
      note("space", pages(statistics.free_pages) + " of the file are free", "kvtool compact");
    } else if (!is_small && static_cast<double>(statistics.pending_pages) > kMuch * all) {
      note("space", pages(statistics.pending_pages) + " wait for old snapshots or a checkpoint",
           "see kvtool readers");
    } else {
      fine("space",
           pages(statistics.used_pages) + " used of " + human_bytes(statistics.file_bytes));
    }
    const double log =
        static_cast<double>(statistics.log_used_bytes) / static_cast<double>(statistics.log_bytes);
    const std::string fill = human_bytes(statistics.log_used_bytes) + " of " +
                             human_bytes(statistics.log_bytes) + " in use";
    if (log > kLogAlmostFull) {
      note("log", fill, "a checkpoint is late: is a process stopped, or the disk slow?");
    } else {
      fine("log", fill);
    }
  }

  const Arguments& arguments_;
  quire::FileFacts facts_;
  std::vector<Finding> findings_;
};

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::fine:
      return "fine";
    case Severity::note:
      return "note";
    case Severity::problem:
      break;
  }
  return "problem";
}

void write_text(Output& output, const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    std::string mark = std::string(name_of(finding.severity)) + std::string(9, ' ');
    mark.resize(9);
    output.write(finding.severity == Severity::fine      ? output.green(mark)
                 : finding.severity == Severity::problem ? output.red(mark)
                                                         : output.bold(mark));
    output.write(finding.subject + ": " + escaped(finding.what) + "\n");
    if (!finding.advice.empty()) output.write("         -> " + escaped(finding.advice) + "\n");
  }
}

ExitCode run(const Arguments& arguments, Output& output) {
  const std::vector<Finding> findings = Doctor(arguments).examine();
  bool has_problem = false;
  Json list = Json::array();
  for (const Finding& finding : findings) {
    has_problem = has_problem || finding.severity == Severity::problem;
    Json json = {{"severity", name_of(finding.severity)}, {"subject", finding.subject}};
    set_json_bytes(json, "what", finding.what);
    set_json_bytes(json, "advice", finding.advice);
    list.push_back(json);
  }
  return deliver(output, has_problem ? ExitCode::negative : ExitCode::done, [&] {
    if (arguments.is_json) {
      output.write(json_document(list));
    } else {
      write_text(output, findings);
    }
  });
}

Run declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  add_file(command, arguments->database);
  command.add_flag("--check", arguments->checks_all, "Also verify every page and value");
  command.add_flag("--json", arguments->is_json, "Findings as a JSON list");
  return [arguments](Output& output) { return run(*arguments, output); };
}

}  // namespace

const Command kDoctor = {
    "doctor", "Say what is wrong with a database, and what to do",
    "Looks at file, file system, disk, metas, last close, failed flushes, who writes, slow\n"
    "readers, free space and log. Exit code 1 when something is a problem; a note is none.\n\n"
    "Example:\n"
    "  kvtool doctor people.quire",
    declare};

}  // namespace kvtool
