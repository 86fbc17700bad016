// kvtool in the hands of somebody who may only read.
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "kvtool/kvtool_test.h"

namespace quire::test {
namespace {

class ReadOnlyKvtool : public KvtoolTest {
 protected:
  // As a user without rights to anything here.
  static Finished kvtool_as_nobody(const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
                                        "--clear-groups"};
    for (const std::string& word : kvtool_command(arguments)) command.push_back(word);
    return run(command);
  }
};

TEST_F(ReadOnlyKvtool, ReadsBesideWritersAndAfterThem) {
  if (::geteuid() != 0 || kvtool_as_nobody({"--version"}).exit_code != 0) {
    GTEST_SKIP() << "cannot run kvtool as another user (needs root, setpriv, and a build directory "
                    "that others may enter)";
  }
  const std::filesystem::path directory = std::filesystem::path(file_).parent_path();
  std::filesystem::permissions(directory, std::filesystem::perms{0755});
  const std::string file = file_;
  const auto expect_reads = [&] {
    EXPECT_EQ(kvtool_as_nobody({"get", file, "key"}).out.substr(0, 5), "value");
    for (const char* command : {"list", "tables", "stat", "check", "dump"}) {
      const Finished finished = kvtool_as_nobody({command, file});
      EXPECT_EQ(finished.exit_code, 0) << command << ": " << finished.err;
    }
    EXPECT_NE(kvtool_as_nobody({"put", file, "key", "other"}).exit_code, 0);
  };
  {
    Database db{file};
    std::filesystem::permissions(file, std::filesystem::perms{0644});
    std::filesystem::permissions(file + ".lock", std::filesystem::perms{0644});
    db.put("key", "value");
    db.write([](Transaction& tx) { tx.table("named").put("a", "b"); });
    expect_reads();
  }
  expect_reads();
}

}  // namespace
}  // namespace quire::test
