// What the compiler refuses: each claim is a requires-expression that must be false (or true, for
// its lawful twin).
#include <quire/quire.h>

#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

namespace quire::test {
namespace {

template <typename T>
concept Puts = requires(T table) {
  table.put("k", "v");
};
template <typename T>
concept Inserts = requires(T table) {
  table.insert("k", "v");
};
template <typename T>
concept Erases = requires(T table) {
  table.erase("k");
};
template <typename T>
concept Clears = requires(T table) {
  table.clear();
};

static_assert(Puts<Table> && Inserts<Table> && Erases<Table> && Clears<Table>);
static_assert(!Puts<TableView> && !Inserts<TableView> && !Erases<TableView> && !Clears<TableView>,
              "a snapshot's table cannot be written");
static_assert(!Puts<const Table> && !Erases<const Table>, "nor can a constant table");
static_assert(std::is_convertible_v<Table, TableView>, "but a table reads as a view");
static_assert(!std::is_convertible_v<TableView, Table>, "and a view is no table");

// `Owner` is the type and value category of the expression in front of `.table()`.
template <typename Owner>
concept GivesTable = requires {
  std::declval<Owner>().table("name");
};
template <typename Owner>
concept GivesDefaultTable = requires {
  std::declval<Owner>().table();
};

static_assert(GivesTable<Snapshot&> && GivesTable<const Snapshot&>);
static_assert(!GivesTable<Snapshot> && !GivesDefaultTable<Snapshot>,
              "a table of a temporary snapshot would outlive it");
static_assert(!GivesTable<const Snapshot>);
static_assert(GivesTable<Transaction&>);
static_assert(!GivesTable<Transaction> && !GivesDefaultTable<Transaction>,
              "a table of a temporary transaction would outlive it");
static_assert(!GivesTable<const Transaction&>, "a constant transaction gives no writable table");

template <typename Owner>
concept CanBeginFrom = requires {
  std::declval<Owner>().begin();
};
static_assert(CanBeginFrom<Database&>);
static_assert(!CanBeginFrom<const Database&>, "a constant database cannot be written");
template <typename Owner>
concept CanPutInto = requires {
  std::declval<Owner>().put("k", "v");
};
static_assert(CanPutInto<Database&> && !CanPutInto<const Database&>);
static_assert(!CanPutInto<Snapshot&>);

static_assert(!std::is_copy_constructible_v<Snapshot> && !std::is_copy_assignable_v<Snapshot>);
static_assert(!std::is_copy_constructible_v<Transaction>);
static_assert(!std::is_copy_constructible_v<Database>);
static_assert(std::is_nothrow_move_constructible_v<Snapshot>);
static_assert(std::is_nothrow_move_constructible_v<Transaction>);
static_assert(std::is_nothrow_move_constructible_v<Database>);
static_assert(!std::is_default_constructible_v<Table>, "a table comes from a transaction only");
static_assert(!std::is_default_constructible_v<TableView>);

// Values and keys are handed out as constant bytes.
static_assert(std::is_same_v<decltype(std::declval<Cursor>().value()), Bytes>);
template <typename C>
concept AssignsThrough = requires(C cursor) {
  *cursor = Entry{};
  (*cursor).value[0] = 'x';
};
static_assert(!AssignsThrough<Cursor>);

static_assert(!std::is_convertible_v<const char*, Database>, "opening is explicit");

TEST(RefusedByCompiler, EveryClaimOfThisFileHeldWhenItWasCompiled) { SUCCEED(); }

}  // namespace
}  // namespace quire::test
