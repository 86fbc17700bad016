// What fails behind the commit point: the transaction has happened, and no error may say otherwise.
#include <quire/quire.h>

#include <cstdint>
#include <functional>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <signal.h>

#include "base/test_points.h"
#include "support/child.h"
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

// A writer died when the meta of its commit by checkpoint was announced. The next one called that
// transaction visible before it stored the meta, and a flush that somebody made meanwhile showed it
// to readers: a power cut would have taken back what they saw.
TEST_F(BehindTheCommitPoint, WhatADeadWriterLeftIsSeenWhenItsMetaIsDurable) {
  Database db{file_};
  const auto put_relaxed = [&](std::string_view key) {
    Transaction tx = db.begin();
    tx.table().put(key, "1");
    tx.commit(Durability::relaxed);
  };
  put_relaxed("relaxed");  // something is left to flush
  Child dead{[&](Link&) {
    Database own{file_};
    test_points::reached = [](const char* point, std::uint64_t, std::uint64_t) {
      if (std::string_view{point} == "checkpoint: meta announced") ::raise(SIGKILL);
    };
    own.write([](Transaction& tx) {
      tx.table().put("large", "1");
      for (std::uint64_t key = 0; key < 10'000; ++key) {
        tx.table().put(big_endian(key), pattern(1000, key));
      }
    });
  }};
  ASSERT_EQ(dead.wait(), -SIGKILL);
  Child next{[&](Link& link) {
    Database own{file_};
    static Link* asks = nullptr;
    asks = &link;
    test_points::reached = [](const char* point, std::uint64_t, std::uint64_t) {
      if (std::string_view{point} != "rollback: pages given back") return;
      asks->send(1);
      asks->receive();
    };
    own.put("next", "1");
  }};
  ASSERT_TRUE(next.receive());
  db.sync();
  EXPECT_TRUE(db.get("relaxed").has_value());
  EXPECT_FALSE(db.get("large").has_value()) << "no meta names it yet";
  next.send(1);
  EXPECT_EQ(next.wait(), 0);
  EXPECT_TRUE(db.get("large").has_value());
  EXPECT_TRUE(db.get("next").has_value());
  expect_sound(db);
}

}  // namespace
}  // namespace quire::test
