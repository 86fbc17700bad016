// What fails behind the commit point: the transaction has happened, and no error may say otherwise.
#include <quire/quire.h>

#include <functional>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "base/test_points.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

// What is done, once, where a flush has chosen how far it goes.
std::function<void()> failure;

void fail_once(const char* crash_point, std::uint64_t, std::uint64_t) {
  if (std::string_view{crash_point} != "flush: target chosen" || !failure) return;
  std::exchange(failure, nullptr)();
}

class BehindTheCommitPoint : public DatabaseTest {
 protected:
  void SetUp() override {
    Database{file_}.put("before", "1");
    test_points::reached = fail_once;
  }
  void TearDown() override {
    test_points::reached = nullptr;
    failure = nullptr;
    DatabaseTest::TearDown();
  }

  // Nobody has seen the commit; it stands, and the next one makes it durable with itself.
  void expect_committed_but_unknown(std::function<void()> what, const std::string& reason) {
    Database db{file_};
    db.put("before", "2");
    std::string text;
    const auto code = errc_of([&] {
      try {
        failure = std::move(what);
        db.put("fails", "1");
      } catch (const Error& error) {
        text = error.what();
        throw;
      }
    });
    EXPECT_EQ(code, Errc::io);
    EXPECT_NE(text.find("committed, but not known to be durable: "), std::string::npos) << text;
    EXPECT_NE(text.find(reason), std::string::npos) << text;
    EXPECT_FALSE(db.get("fails").has_value()) << "readers see what is durable";
    db.put("after", "1");
    EXPECT_EQ(entries(db), (Entries{{"after", "1"}, {"before", "2"}, {"fails", "1"}}));
  }
};

TEST_F(BehindTheCommitPoint, DamageInTheLogIsNotTheTransactionsFailure) {
  expect_committed_but_unknown([] { throw Error(Errc::corrupt, "the record is damaged"); },
                               "the record is damaged");
  EXPECT_EQ(entries(Database{file_}).at("fails"), "1");
}

TEST_F(BehindTheCommitPoint, NeitherIsAWantOfSpace) {
  expect_committed_but_unknown([] { throw Error(Errc::no_space, "the disk is full"); },
                               "the disk is full");
}

TEST_F(BehindTheCommitPoint, NorOfMemory) {
  expect_committed_but_unknown([] { throw std::bad_alloc(); }, "no memory");
}

// A relaxed commit joins the flush of a full one before it that nobody has made yet.
TEST_F(BehindTheCommitPoint, NeitherOfARelaxedOneThatHadToBeFlushed) {
  Database db{file_};
  db.put("before", "2");
  failure = [] { throw std::bad_alloc(); };
  EXPECT_EQ(errc_of([&] { db.put("full", "1"); }), Errc::io);
  failure = [] { throw Error(Errc::corrupt, "the record is damaged"); };
  Transaction tx = db.begin();
  tx.table().put("relaxed", "1");
  EXPECT_EQ(errc_of([&] { tx.commit(Durability::relaxed); }), Errc::io);
  EXPECT_EQ(errc_of([&] { tx.table().put("relaxed", "2"); }), Errc::misuse) << "it is over";
  EXPECT_FALSE(db.get("full").has_value());
  db.sync();
  EXPECT_EQ(entries(db), (Entries{{"before", "2"}, {"full", "1"}, {"relaxed", "1"}}));
}

}  // namespace
}  // namespace quire::test
