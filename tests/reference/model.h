// What a database should hold, kept in std::map: cheap to copy, so that it can follow snapshots and
// rollbacks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quire::test {

// Tables share their maps until one is changed.
class Model {
 public:
  using Table = std::map<std::string, std::string, std::less<>>;
  using Pairs = std::map<std::string, std::set<std::string>, std::less<>>;  // of a multimap

  // An absent table reads as empty.
  const Table& table(std::string_view name) const {
    static const Table empty;
    const auto at = tables_.find(name);
    return at == tables_.end() ? empty : *at->second;
  }

  // Creates the table when it is absent.
  Table& change(std::string_view name) {
    std::shared_ptr<Table>& table = tables_[std::string{name}];
    if (table == nullptr) table = std::make_shared<Table>();
    if (table.use_count() > 1) table = std::make_shared<Table>(*table);
    return *table;
  }

  const Pairs& pairs(std::string_view name) const {
    static const Pairs empty;
    const auto at = multimaps_.find(name);
    return at == multimaps_.end() ? empty : *at->second;
  }

  Pairs& change_pairs(std::string_view name) {
    std::shared_ptr<Pairs>& pairs = multimaps_[std::string{name}];
    if (pairs == nullptr) pairs = std::make_shared<Pairs>();
    if (pairs.use_count() > 1) pairs = std::make_shared<Pairs>(*pairs);
    return *pairs;
  }

  bool exists(std::string_view name) const { return tables_.find(name) != tables_.end(); }
  bool is_multimap(std::string_view name) const {
    return multimaps_.find(name) != multimaps_.end();
  }

  // Of either kind.
  bool drop(std::string_view name) {
    if (const auto at = multimaps_.find(name); at != multimaps_.end()) {
      multimaps_.erase(at);
      return true;
    }
    const auto at = tables_.find(name);
    if (at == tables_.end()) return false;
    tables_.erase(at);
    return true;
  }

  // Names but the default table's, in order.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, table] : tables_) {
      if (!name.empty()) all.push_back(name);
    }
    for (const auto& [name, pairs] : multimaps_) all.push_back(name);
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::map<std::string, std::shared_ptr<Table>, std::less<>> tables_;
  std::map<std::string, std::shared_ptr<Pairs>, std::less<>> multimaps_;
};

}  // namespace quire::test
