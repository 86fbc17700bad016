// Every byte string survives the way out and in again, in every format.
#include <sys/wait.h>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class RoundTrip : public KvtoolTest {
 protected:
  void SetUp() override {
    entries_ = awkward_entries();
    entries_.merge(random_entries(choose_seed("RoundTrip"), 2000));
    // Longer than any buffer on the way.
    entries_["large"] = pattern(3'000'001, 1);
    entries_["large text"] = std::string(200'000, 'x') + "\\" + std::string(200'000, 'y');
    store(file_, entries_);
  }

  void expect_sound_copy(const std::string& copy) const {
    EXPECT_TRUE(stored(copy) == entries_);  // not EQ: a difference would print megabytes
    done({"check", copy});
  }

  Entries entries_;
  std::string copy_ = in_directory("copy.quire");
};

TEST_F(RoundTrip, OfText) {
  done({"load", copy_}, done({"list", file_}));
  expect_sound_copy(copy_);
}

TEST_F(RoundTrip, OfHexadecimal) {
  done({"load", copy_, "--hex"}, done({"list", file_, "--hex"}));
  expect_sound_copy(copy_);
}

TEST_F(RoundTrip, OfJson) {
  done({"load", copy_, "--format", "json"}, done({"list", file_, "--format", "json"}));
  expect_sound_copy(copy_);
}

TEST_F(RoundTrip, OfADump) {
  const std::string dump = done({"dump", file_});
  done({"load", copy_, "--format", "dump"}, dump);
  expect_sound_copy(copy_);
  EXPECT_TRUE(done({"dump", copy_}) == dump);
}

TEST_F(RoundTrip, OfReversedLines) {
  done({"load", copy_}, done({"list", file_, "--reverse"}));
  expect_sound_copy(copy_);
}

TEST_F(RoundTrip, ThroughAPipe) {
  const std::string script = "\"$KVTOOL\" dump \"$0\" | \"$KVTOOL\" load \"$1\" --format dump";
  const Finished finished = run({"/bin/sh", "-c", script, file_, copy_});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.err, "");
  expect_sound_copy(copy_);
}

TEST_F(RoundTrip, OfSeveralTablesByteForByte) {
  std::string all_bytes;
  for (int byte = 255; byte > 0; --byte) {
    all_bytes += static_cast<char>(byte);
  }
  const std::vector<std::string> names = {
      "people", " leading blank", "table x", "\xff\xfe", std::string("zero\0tab\t\n", 10),
      all_bytes};
  for (const std::string& name : names) {
    store(file_, {{name, "in " + name}, {"", name}}, name);
  }
  store(file_, {{"k", "v"}}, "empty");
  done({"del", file_, "k", "--table", "empty"});

  const std::string dump = done({"dump", file_});
  done({"load", copy_, "--format", "dump"}, dump);
  EXPECT_TRUE(done({"dump", copy_}) == dump);
  EXPECT_EQ(done({"tables", copy_}), done({"tables", file_}));
  for (const std::string& name : names) {
    EXPECT_EQ(stored(copy_, name), (Entries{{name, "in " + name}, {"", name}}));
  }
  expect_sound_copy(copy_);
}

TEST_F(RoundTrip, OfOneTable) {
  store(file_, {{"ada", "Lovelace"}}, "people");
  const std::string dump = done({"dump", file_, "--table", "people"});
  EXPECT_EQ(dump, "quire dump 1\npage_size 4096\ntable people\nada\tLovelace\nend 1\n");
  done({"load", copy_, "--format", "dump"}, dump);
  EXPECT_EQ(stored(copy_), Entries{});
  EXPECT_EQ(stored(copy_, "people"), (Entries{{"ada", "Lovelace"}}));

  const std::string other = in_directory("other.quire");
  done({"load", other, "--format", "dump"}, done({"dump", file_, "--table", ""}));
  EXPECT_EQ(done({"tables", other}), "");
  expect_sound_copy(other);
}

TEST_F(RoundTrip, KeepsAPageSizeThatLongKeysNeed) {
  const std::string wide = in_directory("wide.quire");
  store(wide, {{pattern(key_bytes_max(65536), 5), "v"}}, {}, {.page_size = 65536});
  const std::string dump = done({"dump", wide});
  done({"load", copy_, "--format", "dump"}, dump);
  EXPECT_EQ(Database(copy_).page_size_bytes(), 65536U);
  EXPECT_EQ(stored(copy_), stored(wide));
  done({"check", copy_});

  // An existing file keeps its own, and takes what fits.
  const std::string narrow = in_directory("narrow.quire");
  done({"put", narrow, "k", "v"});
  EXPECT_NE(refused(3, {"load", narrow, "--format", "dump"}, dump).find("line 4"),
            std::string::npos);
  EXPECT_EQ(stored(narrow), (Entries{{"k", "v"}}));
}

}  // namespace
}  // namespace quire::test
