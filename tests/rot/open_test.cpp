// A file with one changed byte, opened: refused with a reason, or right, or found by check(). Never
// silently wrong.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "rot/referred.h"
#include "support/metas.h"
#include "support/small_database.h"

namespace quire::test {
namespace {

class OpeningRot : public DatabaseTest {
 protected:
  void SetUp() override { skip_final_check(); }

  std::uint8_t some_bits() { return static_cast<std::uint8_t>(random_.between(1, 255)); }

  void write_flipped(const std::string& image, std::uint64_t offset) {
    std::string flipped = image;
    flipped[offset] = static_cast<char>(flipped[offset] ^ some_bits());
    write_file(file_, flipped);
    std::filesystem::remove(lock_file_of(file_));
  }

  Random random_{choose_seed("opening rot")};
};

bool is_in_log(const format::Meta& meta, std::uint64_t offset) {
  const std::uint64_t first = std::uint64_t{meta.log.first_page} * meta.page_bytes;
  return offset >= first && offset < first + std::uint64_t{meta.log.page_count} * meta.page_bytes;
}

// The bytes of one record in the file: its header and operations.
struct RecordBytes {
  std::uint64_t first;
  std::uint64_t limit;
};

std::vector<RecordBytes> records_of(const std::string& image) {
  const format::Meta meta = meta_of(image, 0);
  std::string aligned = image;  // heap memory, so that headers are aligned
  const log::Ring ring{.read = reinterpret_cast<const std::byte*>(aligned.data()) +
                               std::uint64_t{meta.log.first_page} * meta.page_bytes,
                       .size_bytes = std::uint64_t{meta.log.page_count} * meta.page_bytes,
                       .seed = meta.checksum_seed};
  log::Scanner scanner(ring, {Lsn{meta.log_start}, meta.log_chain}, meta.epoch, TxnId{meta.txn});
  std::vector<RecordBytes> records;
  while (const format::RecordHeader* record = scanner.next()) {
    const auto first =
        static_cast<std::uint64_t>(reinterpret_cast<const char*>(record) - aligned.data());
    records.push_back({first, first + sizeof *record + record->payload_bytes});
  }
  return records;
}

TEST_F(OpeningRot, OfOneMetaDoesNotMatterAndIsReported) {
  const Tables before = make_clean(file_);
  const std::string image = read_file(file_);
  for (const std::uint64_t meta : format::kMetaOffset) {
    for (std::uint64_t byte = 0; byte < format::kMetaBytes; byte += rounds(1, 11)) {
      write_flipped(image, meta + byte);
      const Database db{file_};
      const CheckReport report = check(db);
      ASSERT_EQ(report.fault_count, 1u) << "byte " << meta + byte;
      ASSERT_EQ(report.faults[0].page, meta / kSmallPageBytes);
      ASSERT_TRUE(tables_of(db) == before) << "byte " << meta + byte;
    }
  }
}

TEST_F(OpeningRot, OfTheSpaceMapIsRefusedByPage) {
  make_clean(file_);
  const std::string image = read_file(file_);
  const format::Meta meta = meta_of(image, 0);
  const std::uint32_t page = meta.map[meta.current_map].first_page;
  for (std::uint64_t byte = 0; byte < kSmallPageBytes;
       byte += random_.between(1, rounds(20, 150))) {
    write_flipped(image, std::uint64_t{page} * kSmallPageBytes + byte);
    ASSERT_EQ(errc_of([&] { Database{file_}; }), Errc::corrupt) << "byte " << byte;
    const std::string text = text_of([&] { Database{file_}; });
    ASSERT_NE(text.find("page " + std::to_string(page) + ": "), std::string::npos) << text;
  }
}

TEST_F(OpeningRot, OfAnAcknowledgedRecordIsRefusedByPosition) {
  make_unclean(file_);
  const std::string image = read_file(file_);
  const std::vector<RecordBytes> records = records_of(image);
  ASSERT_EQ(records.size(), kSmallCommits);
  for (std::size_t i = 0; i + 1 < records.size(); ++i) {
    for (std::uint64_t at = records[i].first; at < records[i].limit; at += rounds(1, 9)) {
      write_flipped(image, at);
      ASSERT_EQ(errc_of([&] { Database{file_}; }), Errc::corrupt) << "record " << i << " " << at;
      const std::string text = text_of([&] { Database{file_}; });
      ASSERT_NE(text.find("log position "), std::string::npos) << text;
    }
  }
}

// Nothing in the file tells it from a record that was being written when the power went.
TEST_F(OpeningRot, OfTheLastRecordEndsTheLogBeforeIt) {
  const std::vector<Tables> states = make_unclean(file_);
  const std::string image = read_file(file_);
  const RecordBytes last = records_of(image).back();
  for (std::uint64_t at = last.first; at < last.limit; at += rounds(1, 9)) {
    write_flipped(image, at);
    const Database db{file_};
    ASSERT_TRUE(tables_of(db) == states[kSmallCommits - 1]) << "byte " << at;
    expect_sound(db);
  }
}

TEST_F(OpeningRot, OfAnyByteOfAnUncleanFileIsNeverSilentlyWrong) {
  const std::vector<Tables> states = make_unclean(file_);
  const std::string image = read_file(file_);
  const RecordBytes last = records_of(image).back();
  std::uint64_t refused = 0, found = 0, harmless = 0;
  for (std::uint64_t at = 0; at < image.size(); at += random_.between(1, rounds(1000, 20'000))) {
    if (at >= last.first && at < last.limit) continue;
    write_flipped(image, at);
    std::optional<Database> db;
    const std::optional<Errc> code = errc_of([&] { db.emplace(file_); });
    if (code) {
      ASSERT_EQ(*code, Errc::corrupt) << "byte " << at;
      ++refused;
    } else if (!check(*db).ok()) {
      ++found;
    } else {
      ASSERT_TRUE(tables_of(*db) == states.back()) << "byte " << at;
      ++harmless;
    }
    if (is_in_log(meta_of(image, 0), at)) {
      ASSERT_TRUE(code || check(*db).ok()) << "byte " << at;
    }
  }
  std::cout << refused << " refused, " << found << " found by check, " << harmless << " harmless\n";
  EXPECT_GT(refused + found, 0u);
}

}  // namespace
}  // namespace quire::test
