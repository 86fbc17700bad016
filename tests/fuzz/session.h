// Running an input's program on a database file: every byte that it consumes decides what is done
// next.
#pragma once

#include <quire/quire.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace quire::fuzz {

// Numbers from a program; zeros behind its end.
class Program {
 public:
  explicit Program(const std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}
  bool is_at_end() const noexcept { return at_ >= bytes_.size(); }
  std::uint8_t byte() noexcept { return is_at_end() ? std::uint8_t{0} : bytes_[at_++]; }
  std::uint32_t below(std::uint32_t bound) noexcept { return byte() % bound; }
  bool one_in(std::uint32_t n) noexcept { return below(n) == 0; }
  std::uint16_t word() noexcept { return static_cast<std::uint16_t>(byte() | byte() << 8); }

 private:
  const std::vector<std::uint8_t>& bytes_;
  std::size_t at_ = 0;
};

// Called with the rest of the program when it says so: what a hostile writer does meanwhile.
using Interference = std::function<void(Program&)>;

class Session {
 public:
  // With an interference nothing is expected to stay sound.
  Session(const std::filesystem::path& path, Program& program, Interference interfere = nullptr);

  // Opens, runs the program to its end, closes, opens and reads once more. What a database that
  // check() found sound refuses as corrupt later on is a finding.
  void run();

 private:
  bool open();
  void reopen();
  bool step(const std::function<void()>& action);
  void operate();
  void change_table(std::uint32_t operation);
  void move_savepoints();
  void use_cursor();
  void end_transaction(std::uint32_t operation);
  void look();
  void judge_now();
  Table table();
  void change_pairs(Bytes name);
  std::string key();
  std::string table_name();

  std::filesystem::path path_;
  Program& program_;
  Interference interfere_;
  bool is_sound_ = false;
  std::optional<Database> database_;
  std::optional<Snapshot> snapshot_;
  std::optional<Transaction> transaction_;
  std::vector<Savepoint> savepoints_;  // of that transaction, or of none
};

// How fuzzers open files: no more than a few MiB of addresses.
Options fuzz_options();

}  // namespace quire::fuzz
