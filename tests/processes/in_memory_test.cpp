// Databases in memory: shared across fork and by passing descriptors, and never flushed.
#include <quire/quire.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage/descriptor.h"
#include "storage/system.h"
#include "support/child.h"
#include "support/database_test.h"

namespace quire::test {
namespace {

using InMemoryCopies = DatabaseTest;

std::ptrdiff_t open_descriptor_count() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

std::uint64_t counter(const Database& db) {
  const auto value = db.get("counter");
  return value ? std::stoull(*value) : 0;
}

void count_up(Database& db, int times) {
  for (int i = 0; i < times; ++i) {
    db.write([](Transaction& tx) {
      Table table = tx.table();
      const auto before = table.get("counter");
      table.put("counter", std::to_string((before ? std::stoull(std::string(*before)) : 0) + 1));
    });
  }
}

TEST(InMemory, ReadsAndWritesAsOnADisk) {
  const std::ptrdiff_t before = open_descriptor_count();
  {
    Database db = Database::in_memory({.page_size = 8192});
    EXPECT_EQ(db.page_size_bytes(), 8192u);
    db.write([](Transaction& tx) {
      for (int i = 0; i < 2000; ++i) tx.table("t").put(std::to_string(i), std::string(5000, 'v'));
    });
    const Snapshot old = db.snapshot();
    db.write([](Transaction& tx) { tx.table("t").clear(); });
    db.checkpoint();
    db.sync();
    EXPECT_EQ(old.table("t").size(), 2000u);
    EXPECT_TRUE(entries(db, "t").empty());
    EXPECT_EQ(readers(db).size(), 1u);
    EXPECT_EQ(stat(db).process_count, 1u);
    expect_sound(db);
  }
  EXPECT_EQ(open_descriptor_count(), before);
}

TEST(InMemory, TwoAreTwoAndOneIsOneInstance) {
  Database first = Database::in_memory();
  Database second = Database::in_memory();
  first.put("k", "1");
  second.put("k", "2");
  EXPECT_EQ(first.get("k"), "1");
  EXPECT_NE(first.path(), second.path());
  Database again = Database::from_descriptors(*first.descriptors());
  EXPECT_EQ(again.get("k"), "1");
  EXPECT_EQ(stat(first).process_count, 1u);
  { const Database gone = std::move(first); }
  EXPECT_EQ(again.get("k"), "1");
  expect_sound(again);
}

TEST(InMemory, IsSharedWithForkedChildren) {
  Database db = Database::in_memory();
  db.put("greeting", "hello");
  const auto descriptors = *db.descriptors();
  const auto work = [&](Link&) {
    EXPECT_EQ(errc_of([&] { (void)db.get("greeting"); }), Errc::forked);
    EXPECT_EQ(errc_of([&] { (void)db.descriptors(); }), Errc::forked);
    Database own = Database::from_descriptors(descriptors);
    EXPECT_EQ(own.get("greeting"), "hello");
    count_up(own, 500);
  };
  Child first{work};
  Child second{work};
  const std::uint64_t seen = db.snapshot().txn();
  count_up(db, 500);
  EXPECT_GT(db.wait_for_commit(seen), seen);
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);
  EXPECT_EQ(counter(db), 1500u);
  expect_sound(db);
}

// Two descriptors in one message.
void send_descriptors(int socket, const Database::Descriptors& descriptors) {
  const int numbers[2] = {descriptors.data, descriptors.region};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof numbers)] = {};
  char byte = 0;
  iovec piece = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof numbers);
  std::memcpy(CMSG_DATA(header), numbers, sizeof numbers);
  ASSERT_EQ(::sendmsg(socket, &message, 0), 1);
}

Database::Descriptors receive_descriptors(int socket) {
  int numbers[2] = {-1, -1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof numbers)] = {};
  char byte = 0;
  iovec piece = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  EXPECT_EQ(::recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message)) {
    std::memcpy(numbers, CMSG_DATA(header), sizeof numbers);
  }
  return {numbers[0], numbers[1]};
}

TEST(InMemory, IsSharedWithWhoReceivesItsDescriptors) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Child child{[&](Link& link) {  // before there is anything to inherit
    const auto descriptors = receive_descriptors(ends[1]);
    Database db = Database::from_descriptors(descriptors);
    ::close(descriptors.data);  // it has its own
    ::close(descriptors.region);
    link.send(counter(db));
    count_up(db, 100);
    (void)link.receive();
    link.send(counter(db));
  }};
  Database db = Database::in_memory();
  count_up(db, 7);
  send_descriptors(ends[0], *db.descriptors());
  EXPECT_EQ(child.receive(), 7u);
  count_up(db, 100);
  while (counter(db) < 207) (void)db.wait_for_commit(db.snapshot().txn() - 1);
  EXPECT_EQ(stat(db).process_count, 2u);
  child.send(1);
  EXPECT_EQ(child.receive(), 207u);
  EXPECT_EQ(child.wait(), 0);
  expect_sound(db);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(InMemory, LosesOnlyTheTransactionOfOneThatDies) {
  Database db = Database::in_memory();
  count_up(db, 3);
  const auto descriptors = *db.descriptors();
  Child child{[&](Link& link) {
    Database own = Database::from_descriptors(descriptors);
    count_up(own, 2);
    Transaction tx = own.begin();
    for (int i = 0; i < 1000; ++i) tx.table().put(std::to_string(i), std::string(3000, 'x'));
    link.send(1);
    (void)link.receive();
  }};
  ASSERT_EQ(child.receive(), 1u);
  EXPECT_FALSE(db.try_begin().has_value());
  child.kill();
  count_up(db, 1);
  EXPECT_EQ(counter(db), 6u);
  EXPECT_EQ(entries(db).size(), 1u);
  EXPECT_EQ(stat(db).process_count, 1u);
  expect_sound(db);
}

TEST(InMemory, IsRecoveredWhenAllWhoHadItOpenHaveDied) {
  std::optional<Database> db = Database::in_memory();
  const Database::Descriptors kept = {::dup(db->descriptors()->data),
                                      ::dup(db->descriptors()->region)};
  count_up(*db, 3);
  db.reset();
  Child child{[&](Link& link) {
    Database own = Database::from_descriptors(kept);
    count_up(own, 40);
    Transaction tx = own.begin();
    tx.table().put("lost", "x");
    link.send(1);
    (void)link.receive();
  }};
  ASSERT_EQ(child.receive(), 1u);
  child.kill();
  Database again = Database::from_descriptors(kept);
  ::close(kept.data);
  ::close(kept.region);
  EXPECT_EQ(counter(again), 43u);
  EXPECT_EQ(again.get("lost"), std::nullopt);
  expect_sound(again);
}

TEST_F(InMemoryCopies, AreWrittenToFiles) {
  Database db = Database::in_memory();
  count_up(db, 5);
  EXPECT_EQ(Database(directory_.file("named")).descriptors().has_value(), false);
  copy(db.snapshot(), file_);
  EXPECT_EQ(Database(file_).get("counter"), "5");
}

TEST(InMemory, RefusesDescriptorsOfSomethingElse) {
  const ScratchDirectory scratch;
  const Database db = Database::in_memory();
  const auto [data, region] = *db.descriptors();
  const auto code = [](int first, int second) {
    return errc_of([&] { Database::from_descriptors({first, second}); });
  };
  EXPECT_EQ(code(-1, -1), Errc::misuse);
  EXPECT_EQ(code(data, 4711), Errc::misuse);
  EXPECT_EQ(code(data, data), Errc::misuse);
  EXPECT_EQ(code(region, data), Errc::not_a_database);

  const auto named = scratch.file("named");
  {
    const storage::Descriptor file = storage::open_file(named, O_CREAT | O_RDWR, 0600);
    ASSERT_EQ(::write(file.get(), "precious", 8), 8);
    EXPECT_EQ(code(data, file.get()), Errc::misuse);
    EXPECT_EQ(code(file.get(), region), Errc::misuse);
  }
  EXPECT_EQ(read_file(named), "precious");

  const storage::Descriptor foreign{::memfd_create("foreign", MFD_CLOEXEC)};
  ASSERT_EQ(::write(foreign.get(), "precious", 8), 8);
  Database::Descriptors idle = {::dup(data), ::dup(foreign.get())};
  EXPECT_EQ(code(idle.data, idle.region), Errc::misuse);
  char bytes[8] = {};
  EXPECT_EQ(::pread(foreign.get(), bytes, 8, 0), 8);
  EXPECT_EQ(std::string(bytes, 8), "precious");
  const Database other = Database::in_memory();
  EXPECT_EQ(code(data, other.descriptors()->region), Errc::misuse) << "that of another one";
  ::close(idle.data);
  ::close(idle.region);
  expect_sound(db);
}

TEST(InMemory, OverwritesNoFileThatIsNoRegion) {
  Database::Descriptors kept;
  {
    const Database db = Database::in_memory();
    kept.data = ::dup(db.descriptors()->data);
  }
  const storage::Descriptor foreign{::memfd_create("foreign", MFD_CLOEXEC)};
  ASSERT_EQ(::write(foreign.get(), "precious", 8), 8);
  kept.region = foreign.get();
  EXPECT_EQ(errc_of([&] { Database::from_descriptors(kept); }), Errc::misuse);
  char bytes[8] = {};
  EXPECT_EQ(::pread(foreign.get(), bytes, 8, 0), 8);
  EXPECT_EQ(std::string(bytes, 8), "precious");
  ::close(kept.data);
}

std::atomic<int> flush_count;

// Counts flushes while it lives.
class Flushes {
 public:
  explicit Flushes(bool flushes_memory) {
    storage::System& system = storage::system;
    flush_count = 0;
    system.flushes_memory = flushes_memory;
    system.msync = [](void* address, std::size_t bytes, int flags) {
      ++flush_count;
      return ::msync(address, bytes, flags);
    };
    system.fdatasync = [](int descriptor) { return ++flush_count, ::fdatasync(descriptor); };
    system.sync_file_range = [](int, off_t, off_t, unsigned) { return ++flush_count, 0; };
  }
  Flushes(const Flushes&) = delete;
  Flushes& operator=(const Flushes&) = delete;
  ~Flushes() { storage::system = before_; }

 private:
  const storage::System before_ = storage::system;
};

void work_on(Database& db) {
  count_up(db, 50);
  db.write([](Transaction& tx) {
    for (int i = 0; i < 3000; ++i) tx.table("many").put(std::to_string(i), std::string(2000, 'v'));
  });
  db.checkpoint();
  db.write([](Transaction& tx) { tx.table("many").put("large", std::string(1 << 20, 'v')); });
  db.sync();
}

TEST(InMemory, IsNeverFlushed) {
  const Flushes flushes(false);
  {
    Database db = Database::in_memory();
    work_on(db);
    expect_sound(db);
  }
  EXPECT_EQ(flush_count, 0);
}

TEST(InMemory, NorIsAFileOnAFileSystemInMemory) {
  if (!std::filesystem::is_directory("/dev/shm")) GTEST_SKIP() << "there is no /dev/shm";
  const ScratchDirectory scratch;
  if (scratch.path().string().rfind("/dev/shm/", 0) != 0) GTEST_SKIP() << "scratch is elsewhere";
  {
    const Flushes flushes(true);
    Database db{scratch.file("flushed")};
    work_on(db);
    EXPECT_GT(flush_count, 50);
  }
  const Flushes flushes(false);
  {
    Database db{scratch.file("db")};
    work_on(db);
  }
  EXPECT_EQ(flush_count, 0);
  Child child{[&](Link& link) {
    Database db{scratch.file("db")};
    count_up(db, 20);
    link.send(1);
    (void)link.receive();
  }};
  ASSERT_EQ(child.receive(), 1u);
  child.kill();
  Database db{scratch.file("db")};
  EXPECT_EQ(counter(db), 70u) << "a full commit outlives its process";
  expect_sound(db);
}

}  // namespace
}  // namespace quire::test
