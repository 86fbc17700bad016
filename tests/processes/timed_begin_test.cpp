// Waiting for one's turn to write with a limit, and who is to blame when it does not come.
#include <quire/quire.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include <signal.h>
#include <sys/wait.h>

#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using namespace std::chrono_literals;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class TimedBegin : public DatabaseTest {
 protected:
  // A child that has begun a transaction, and commits it when told.
  Child writer() {
    return Child{[this](Link& link) {
      Database db{file_};
      Transaction tx = db.begin();
      tx.table().put("child", "was here");
      link.send(1);
      link.receive();
      tx.commit();
      link.send(2);
      link.receive();
    }};
  }
};

TEST_F(TimedBegin, NamesAStoppedWriter) {
  Database db{file_};
  Child child = writer();
  child.receive();
  ASSERT_EQ(::kill(child.pid(), SIGSTOP), 0);
  int status = 0;
  ::waitpid(child.pid(), &status, WUNTRACED);
  const std::string text = text_of([&] { db.begin(20ms); });
  EXPECT_TRUE(contains(text, "process " + std::to_string(child.pid()) + " (")) << text;
  EXPECT_TRUE(contains(text, "stopped")) << text;
  EXPECT_TRUE(contains(text, "within 20 ms")) << text;
  EXPECT_TRUE(contains(text, file_.string())) << text;
  EXPECT_EQ(errc_of([&] { db.begin(0ns); }), Errc::busy);
  EXPECT_FALSE(db.try_begin().has_value());
  EXPECT_FALSE(db.get("child").has_value()) << "readers go on meanwhile";

  ::kill(child.pid(), SIGCONT);
  child.send(0);
  child.receive();
  Transaction tx = db.begin(200s);
  EXPECT_EQ(tx.table().get("child"), "was here");
  tx.rollback();
}

TEST_F(TimedBegin, NamesAThreadOfTheSameProcess) {
  Database db{file_};
  const Transaction tx = db.begin();
  std::thread other([&] {
    const std::string text = text_of([&] { db.begin(5ms); });
    EXPECT_TRUE(contains(text, "thread " + std::to_string(::getpid()))) << text;
    EXPECT_FALSE(contains(text, "stopped")) << text;
  });
  other.join();
  EXPECT_EQ(errc_of([&] { db.begin(5ms); }), Errc::misuse) << "this thread has it itself";
}

TEST_F(TimedBegin, SucceedsAtOnceWhenNobodyWrites) {
  Database db{file_};
  Transaction tx = db.begin(0ns);
  tx.table().put("a", "1");
  tx.commit();
  EXPECT_EQ(db.get("a"), "1");
}

TEST_F(TimedBegin, SucceedsWhenTheWriterEndsInTime) {
  Database db{file_};
  std::optional<std::thread> other;
  {
    Transaction tx = db.begin();
    tx.table().put("a", "1");
    other.emplace([&] {
      Transaction second = db.begin(200s);
      second.table().put("b", second.table().get("a").value_or("missing"));
      second.commit();
    });
    std::this_thread::sleep_for(20ms);
    tx.commit();
  }
  other->join();
  EXPECT_EQ(db.get("b"), "1");
}

TEST_F(TimedBegin, TakesOverFromADeadWriter) {
  Database db{file_};
  Child child = writer();
  child.receive();
  child.kill();
  Transaction tx = db.begin(200s);
  EXPECT_FALSE(tx.table().get("child").has_value());
  tx.commit();
}

}  // namespace
}  // namespace quire::test
