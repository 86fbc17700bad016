#include <quire/error.h>
#include <quire/savepoint.h>

#include <exception>
#include <utility>

#include "db/handles.h"

namespace quire {
namespace {

std::shared_ptr<detail::TransactionState> require_there(
    const std::weak_ptr<detail::TransactionState>& transaction) {
  auto there = transaction.lock();
  if (!there)
    throw Error(
        Errc::misuse,
        "the savepoint has ended: it was released or moved from, or its transaction has ended");
  return there;
}

}  // namespace

Savepoint::Savepoint(std::weak_ptr<detail::TransactionState> transaction,
                     std::uint64_t number) noexcept
    : transaction_(std::move(transaction)), number_(number) {}

Savepoint::Savepoint(Savepoint&& other) noexcept = default;

Savepoint& Savepoint::operator=(Savepoint&& other) noexcept {
  if (this == &other) return *this;
  end();
  transaction_ = std::move(other.transaction_);
  number_ = other.number_;
  return *this;
}

Savepoint::~Savepoint() { end(); }

// Whoever could be told of an error is told when the transaction is used.
void Savepoint::end() noexcept {
  const auto transaction = std::exchange(transaction_, {}).lock();
  if (!transaction || !transaction->transaction.is_active()) return;
  try {
    detail::readable(transaction->store.get(), [&] {
      transaction->transaction.roll_back_to(number_);
      transaction->transaction.release(number_);
    });
  } catch (const std::exception&) {
  }
}

void Savepoint::rollback() {
  const auto transaction = require_there(transaction_);
  detail::readable(transaction->store.get(),
                   [&] { transaction->transaction.roll_back_to(number_); });
}

void Savepoint::release() {
  const auto transaction = require_there(transaction_);
  detail::readable(transaction->store.get(), [&] { transaction->transaction.release(number_); });
  transaction_.reset();
}

bool Savepoint::is_open() const noexcept {
  const auto transaction = transaction_.lock();
  return transaction && transaction->transaction.is_open(number_);
}

}  // namespace quire
