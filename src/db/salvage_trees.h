// Reading the trees of a damaged file: around what is damaged, and to what nothing points any more.
#pragma once

#include <quire/inspect.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "btree/key_range.h"
#include "db/salvage_source.h"
#include "format/leaf.h"
#include "format/meta.h"

namespace quire::db {

// Takes tables and their entries, in no particular order; each table is named before its entries.
class SalvageSink {
 public:
  virtual ~SalvageSink() = default;
  virtual void table(const std::string& name, bool is_multimap) = 0;
  virtual void pair(const std::string& table, std::string_view key, std::string_view value) = 0;
  virtual void entry(const std::string& table, std::string_view key, std::string_view value) = 0;

  // So many pages more were read.
  virtual void pages(std::uint64_t page_count) = 0;
};

// Threads: one. Everything that is whole goes to the sink, everything else into the report.
class SalvageTrees {
 public:
  SalvageTrees(const SalvageSource& source, SalvageSink& sink, SalvageReport& report);

  void run();

  // Named tables by the id that log records use.
  const std::map<std::uint32_t, std::string>& names() const noexcept { return names_; }

 private:
  // A page that is not whole, and all keys that may have stood in it or below it.
  struct Loss {
    format::PagePtr pointer;
    std::uint32_t level;
    btree::KeyRange keys;
    std::string reason;
  };
  enum class Kind { catalogue, table, multimap, values };
  struct Tree {
    std::string name;
    format::TreeRoot root;
    Kind kind = Kind::table;
    std::string key = {};    // of a multimap, whose values these are
    std::uint64_t seen = 0;  // entries in whole leaves
    std::vector<Loss> losses = {};
  };

  void read_catalogue(const format::TreeRoot& root);
  void read_table(const std::string& name, const format::TableRecord& record);
  void read(Tree& tree, format::PagePtr pointer, std::uint32_t level, const btree::KeyRange& keys);
  void read_branch(Tree& tree, format::PagePtr pointer, std::uint32_t level,
                   const btree::KeyRange& keys);
  void read_leaf(Tree& tree, const format::LeafView& leaf);
  void read_entry(Tree& tree, const format::LeafEntry& entry);
  void read_value(Tree& tree, const format::LeafEntry& entry);
  void read_values(Tree& tree, const format::LeafView& leaf, const format::LeafEntry& entry);
  void read_record(const format::LeafEntry& entry);
  void reach(std::uint32_t first_page, std::uint32_t page_count);

  void adopt_leaves();
  void adopt_by_pointers(Tree& tree);
  std::set<std::uint32_t> pages_of_values() const;
  void note_below(format::PagePtr pointer, std::uint32_t level,
                  std::set<std::uint32_t>& pages) const;
  bool may_have_orphans() const;
  bool is_leaf_of_multimap(const format::LeafView& leaf) const;
  void pass_branches();
  Tree* parent_of(const format::LeafView& leaf, format::PagePtr pointer);
  bool points_to(const Loss& loss, format::PagePtr wanted, std::set<std::uint32_t>& seen) const;
  std::vector<format::PagePtr> children_of(format::PagePtr branch, std::uint32_t level) const;

  void read_rest();
  std::vector<format::PagePtr> rest_of_roots() const;
  bool is_catalogue(format::PagePtr root, std::uint32_t level, std::set<std::uint32_t>& seen) const;
  bool is_multimap(format::PagePtr root) const;
  void read_nameless(format::PagePtr root, const std::string& reason);
  std::string probable_name(format::PagePtr root) const;

  std::uint32_t level_of(format::PagePtr pointer) const;
  bool is_left(std::uint64_t page) const { return source_.is_marked(page) && !reached_[page]; }
  void lose(std::uint64_t page, const std::string& reason,
            const std::optional<AffectedKeys>& keys = {});
  void report_losses();

  const SalvageSource& source_;
  const pages::PageView& view_;
  SalvageSink& sink_;
  SalvageReport& report_;
  std::vector<bool> reached_;
  std::deque<Tree> trees_;  // the catalogue first; never moved
  std::map<std::string, format::TableRecord> found_;
  std::map<std::uint32_t, std::string> names_;
};

}  // namespace quire::db
