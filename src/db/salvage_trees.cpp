#include "db/salvage_trees.h"

#include <algorithm>
#include <cstring>

#include "btree/check_page.h"
#include "btree/values.h"
#include "format/branch.h"
#include "format/damage.h"

namespace quire::db {
namespace {

using btree::KeyRange;
using format::BranchView;
using format::LeafEntry;
using format::LeafView;
using format::PagePtr;
using format::TableRecord;
using format::TreeRoot;

constexpr std::size_t kLossesKept = 1000;

std::optional<TableRecord> record_in(const LeafEntry& entry) {
  if (entry.in_extent || entry.value.size() != sizeof(TableRecord)) return std::nullopt;
  TableRecord record;
  std::memcpy(&record, entry.value.data(), sizeof record);
  const bool is_empty = !record.tree.root;
  if ((record.flags & ~format::kTableFlagsKnown) != 0 || entry.key.empty() ||
      record.tree.height > format::kTreeHeightMax || is_empty != (record.tree.height == 0)) {
    return std::nullopt;
  }
  return record;
}

}  // namespace

SalvageTrees::SalvageTrees(const SalvageSource& source, SalvageSink& sink, SalvageReport& report)
    : source_(source),
      view_(source.view()),
      sink_(sink),
      report_(report),
      reached_(view_.page_count, false) {}

void SalvageTrees::run() {
  if (source_.has_meta()) {
    read_catalogue(source_.meta().catalogue);
    read_table("", {.tree = source_.meta().default_table});
    adopt_leaves();
  }
  if (source_.has_marks()) read_rest();
  report_losses();
}

void SalvageTrees::read_catalogue(const TreeRoot& root) {
  Tree& catalogue = trees_.emplace_back(Tree{.name = {}, .root = root, .kind = Kind::catalogue});
  if (root.root) read(catalogue, root.root, root.height - 1u, KeyRange{});
  adopt_by_pointers(catalogue);
  const auto tables = found_;
  for (const auto& [name, record] : tables) read_table(name, record);
}

void SalvageTrees::read_table(const std::string& name, const TableRecord& record) {
  const bool is_multimap = format::is_multimap(record);
  sink_.table(name, is_multimap);
  const TreeRoot& root = record.tree;
  Tree& tree = trees_.emplace_back(
      Tree{.name = name, .root = root, .kind = is_multimap ? Kind::multimap : Kind::table});
  if (root.root) read(tree, root.root, root.height - 1u, KeyRange{});
}

void SalvageTrees::read(Tree& tree, PagePtr pointer, std::uint32_t level, const KeyRange& keys) {
  std::string reason = source_.fault_of(pointer, level, keys);
  if (reason.empty() && reached_[pointer.page]) reason = "the page is used twice";
  if (!reason.empty()) {
    tree.losses.push_back({pointer, level, keys, reason});
    return;
  }
  reach(pointer.page, 1);
  if (level > 0) return read_branch(tree, pointer, level, keys);
  read_leaf(tree, LeafView(view_.at(PageId{pointer.page}), view_.page_bytes));
}

void SalvageTrees::reach(std::uint32_t first_page, std::uint32_t page_count) {
  for (std::uint32_t i = 0; i < page_count; ++i) reached_[first_page + i] = true;
  sink_.pages(page_count);
}

void SalvageTrees::read_branch(Tree& tree, PagePtr pointer, std::uint32_t level,
                               const KeyRange& keys) {
  const BranchView branch(view_.at(PageId{pointer.page}), view_.page_bytes);
  for (std::uint32_t i = 0; i < branch.count(); ++i) {
    KeyRange below = keys;
    if (i > 0) below.low = btree::text_of(branch.separator(i));
    if (i + 1 < branch.count()) below.high = btree::text_of(branch.separator(i + 1));
    read(tree, branch.child(i), level - 1, below);
  }
}

void SalvageTrees::read_leaf(Tree& tree, const LeafView& leaf) {
  tree.seen += leaf.count();
  for (std::uint32_t i = 0; i < leaf.count(); ++i) {
    const LeafEntry entry = leaf.entry(i);
    switch (tree.kind) {
      case Kind::catalogue:
        read_record(entry);
        break;
      case Kind::table:
        read_entry(tree, entry);
        break;
      case Kind::multimap:
        read_values(tree, leaf, entry);
        break;
      case Kind::values:
        sink_.pair(tree.name, tree.key, entry.key);
    }
  }
}

void SalvageTrees::read_entry(Tree& tree, const LeafEntry& entry) {
  if (entry.in_extent) return read_value(tree, entry);
  if (!entry.in_tree) return sink_.entry(tree.name, entry.key, entry.value);
  const KeyRange key = btree::only(entry.key);
  lose(0, "a tree of values in a table that is no multimap",
       AffectedKeys{tree.name, key.low, key.high});
}

// The values of one key of a multimap.
void SalvageTrees::read_values(Tree& tree, const LeafView& leaf, const LeafEntry& entry) {
  const std::string key(entry.key);
  try {
    const btree::Values values = btree::Values::of(leaf.page(), entry);
    if (values.set) {
      values.set->judge();
      for (std::uint32_t i = 0; i < values.set->count(); ++i) {
        sink_.pair(tree.name, key, values.set->value(i));
      }
      return;
    }
    Tree& below = trees_.emplace_back(
        Tree{.name = tree.name, .root = values.tree, .kind = Kind::values, .key = key});
    read(below, values.tree.root, values.tree.height - 1u, KeyRange{});
    if (below.losses.empty()) trees_.pop_back();
  } catch (const format::Damage& damage) {
    const KeyRange range = btree::only(key);
    lose(format::header_of(leaf.page()).page, damage.what(),
         AffectedKeys{tree.name, range.low, range.high});
  }
}

void SalvageTrees::read_value(Tree& tree, const LeafEntry& entry) {
  const format::ExtentRef extent = entry.extent();
  const std::string reason = source_.fault_of(extent);
  if (view_.fault_of(extent) == nullptr) {
    reach(extent.first_page, extent.page_count);
  }
  if (reason.empty()) {
    const auto* bytes = reinterpret_cast<const char*>(view_.at(PageId{extent.first_page}));
    sink_.entry(tree.name, entry.key, {bytes, extent.size_bytes});
  } else {
    const KeyRange key = btree::only(entry.key);
    lose(extent.first_page, reason, AffectedKeys{tree.name, key.low, key.high});
  }
}

void SalvageTrees::read_record(const LeafEntry& entry) {
  const std::string name(entry.key);
  if (const auto record = record_in(entry)) {
    found_[name] = *record;
    names_[record->table_id] = name;
  } else {
    lose(0, "table " + name + ": its record in the catalogue contradicts itself");
  }
}

// The pointers that a branch still holds, whole or not.
std::vector<PagePtr> SalvageTrees::children_of(PagePtr pointer, std::uint32_t level) const {
  std::vector<PagePtr> children;
  if (level == 0 || pointer.page >= view_.page_count) return children;
  try {
    const BranchView branch(view_.at(PageId{pointer.page}), view_.page_bytes);
    for (std::uint32_t i = 0; i < branch.count(); ++i) children.push_back(branch.child(i));
  } catch (const format::Damage&) {
    // Where its pointers stand can no longer be told.
  }
  return children;
}

// `seen` ends the search in a file that leads in circles.
bool SalvageTrees::points_to(const Loss& loss, PagePtr wanted,
                             std::set<std::uint32_t>& seen) const {
  for (const PagePtr child : children_of(loss.pointer, loss.level)) {
    if (child == wanted) return true;
    if (loss.level < 2 || !seen.insert(child.page).second) continue;
    if (!source_.fault_of(child, loss.level - 1, loss.keys).empty()) continue;
    if (points_to({child, loss.level - 1, loss.keys, {}}, wanted, seen)) return true;
  }
  return false;
}

// Pointers carry number and birth of what they mean, so what a damaged branch still points to, if
// it is whole and nobody else's, is the child that it had.
void SalvageTrees::adopt_by_pointers(Tree& tree) {
  const std::vector<Loss> losses = tree.losses;
  for (const Loss& loss : losses) {
    if (view_.fault_of(loss.pointer, loss.level) != nullptr) continue;  // another page stands there
    for (const PagePtr child : children_of(loss.pointer, loss.level)) {
      if (!source_.fault_of(child, loss.level - 1, loss.keys).empty()) continue;
      if (!reached_[child.page]) read(tree, child, loss.level - 1, loss.keys);
    }
  }
}

// Every leaf of the checkpoint that no whole page leads to belongs below some damaged branch. With
// a whole space map, which says what is a page of the checkpoint and not of an older one, its keys
// tell below which, unless several tables have lost those keys, or it may be values that have lost
// their key: then the damaged branch has to point to it.
void SalvageTrees::adopt_leaves() {
  if (!source_.has_marks() || !trees_.front().losses.empty()) {
    for (std::size_t i = 1; i < trees_.size(); ++i) adopt_by_pointers(trees_[i]);
    return;
  }
  // These are read when the leaf that names them is.
  const std::set<std::uint32_t> of_values = pages_of_values();
  for (std::uint32_t page = 0; page < view_.page_count; ++page) {
    if (!is_left(page) || of_values.contains(page)) continue;
    const PagePtr pointer =
        format::pointer_to(PageId{page}, TxnId{format::header_of(view_.at(PageId{page})).birth});
    if (!source_.fault_of(pointer, 0, KeyRange{}).empty()) continue;
    const LeafView leaf(view_.at(PageId{page}), view_.page_bytes);
    Tree* const parent = parent_of(leaf, pointer);
    if (parent == nullptr) continue;
    if (parent->kind == Kind::multimap && !is_leaf_of_multimap(leaf)) continue;
    reach(page, 1);
    read_leaf(*parent, leaf);
  }
  pass_branches();
}

// Of the trees of values that whole leaves name which nothing has read so far.
std::set<std::uint32_t> SalvageTrees::pages_of_values() const {
  std::set<std::uint32_t> pages;
  for (std::uint32_t page = 0; page < view_.page_count; ++page) {
    if (!is_left(page) || level_of({page, 0}) != 0) continue;
    const PagePtr pointer =
        format::pointer_to(PageId{page}, TxnId{format::header_of(view_.at(PageId{page})).birth});
    if (!source_.fault_of(pointer, 0, KeyRange{}).empty()) continue;
    const LeafView leaf(view_.at(PageId{page}), view_.page_bytes);
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      const LeafEntry entry = leaf.entry(i);
      if (!entry.in_tree) continue;
      if (const auto values = format::decode_sub_tree(entry.value)) {
        note_below(values->root, values->height - 1u, pages);
      }
    }
  }
  return pages;
}

void SalvageTrees::note_below(PagePtr pointer, std::uint32_t level,
                              std::set<std::uint32_t>& pages) const {
  if (view_.fault_of(pointer, level) != nullptr || !pages.insert(pointer.page).second) return;
  for (const PagePtr child : children_of(pointer, level)) note_below(child, level - 1, pages);
}

// Trees of values whose leaf is damaged: nothing names them any more, and what stands in them looks
// like entries of any table.
bool SalvageTrees::may_have_orphans() const {
  return std::any_of(trees_.begin(), trees_.end(), [](const Tree& tree) {
    return tree.kind == Kind::multimap &&
           std::any_of(tree.losses.begin(), tree.losses.end(),
                       [](const Loss& loss) { return loss.level == 0; });
  });
}

bool SalvageTrees::is_leaf_of_multimap(const LeafView& leaf) const {
  try {
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      const btree::Values values = btree::Values::of(leaf.page(), leaf.entry(i));
      if (values.set) values.set->judge();
    }
  } catch (const format::Damage&) {
    return false;
  }
  return true;
}

// Whole branches below a damaged one, whose leaves were found: no trees of their own.
void SalvageTrees::pass_branches() {
  for (std::uint32_t level = 1; level < format::kTreeHeightMax; ++level) {
    bool is_any = false;
    for (std::uint32_t page = 0; page < view_.page_count; ++page) {
      if (!is_left(page) || level_of({page, 0}) != level) continue;
      const format::PageHeader& header = format::header_of(view_.at(PageId{page}));
      const PagePtr pointer = format::pointer_to(PageId{page}, TxnId{header.birth});
      if (!source_.fault_of(pointer, level, KeyRange{}).empty()) continue;
      const std::vector<PagePtr> children = children_of(pointer, level);
      reached_[page] = std::all_of(children.begin(), children.end(), [&](PagePtr child) {
        return child.page < view_.page_count && reached_[child.page];
      });
      is_any |= reached_[page];
    }
    if (!is_any) return;
  }
}

// The tree whose loss the leaf fits into; of several, the only one with a page there that points to
// it, which takes a walk to find out.
SalvageTrees::Tree* SalvageTrees::parent_of(const LeafView& leaf, PagePtr pointer) {
  const auto fits = [&](const Loss& loss) {
    return loss.level > 0 && loss.keys.contains(leaf.key(0)) &&
           loss.keys.contains(leaf.key(leaf.count() - 1));
  };
  const auto names = [&](const Loss& loss) {
    std::set<std::uint32_t> seen;
    return fits(loss) && points_to(loss, pointer, seen);
  };
  std::vector<Tree*> by_keys;
  for (Tree& tree : trees_) {
    if (std::any_of(tree.losses.begin(), tree.losses.end(), fits)) by_keys.push_back(&tree);
  }
  if (by_keys.empty()) return nullptr;
  if (by_keys.size() == 1 && !may_have_orphans()) return by_keys.front();
  std::vector<Tree*> by_pointer;
  for (Tree* tree : by_keys) {
    if (std::any_of(tree->losses.begin(), tree->losses.end(), names)) by_pointer.push_back(tree);
  }
  return by_pointer.size() == 1 ? by_pointer.front() : nullptr;
}

std::uint32_t SalvageTrees::level_of(PagePtr pointer) const {
  return format::header_of(view_.at(PageId{pointer.page})).level;
}

// Whole pages of the checkpoint that nothing read so far and none of themselves points to, highest
// level first.
std::vector<PagePtr> SalvageTrees::rest_of_roots() const {
  std::vector<PagePtr> whole;
  std::set<std::uint32_t> children;
  for (std::uint32_t page = 0; page < view_.page_count; ++page) {
    if (!is_left(page)) continue;
    const format::PageHeader& header = format::header_of(view_.at(PageId{page}));
    const PagePtr pointer = format::pointer_to(PageId{page}, TxnId{header.birth});
    if (!source_.fault_of(pointer, header.level, KeyRange{}).empty()) continue;
    whole.push_back(pointer);
    for (const PagePtr child : children_of(pointer, header.level)) children.insert(child.page);
    if (header.level > 0) continue;
    const LeafView leaf(view_.at(PageId{page}), view_.page_bytes);
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      const auto values = format::decode_sub_tree(leaf.entry(i).value);
      if (leaf.entry(i).in_tree && values) children.insert(values->root.page);
    }
  }
  std::erase_if(whole, [&](PagePtr pointer) { return children.contains(pointer.page); });
  std::stable_sort(whole.begin(), whole.end(),
                   [&](PagePtr a, PagePtr b) { return level_of(a) > level_of(b); });
  return whole;
}

// A tree all of whose entries are records of trees that are there.
bool SalvageTrees::is_catalogue(PagePtr pointer, std::uint32_t level,
                                std::set<std::uint32_t>& seen) const {
  if (!seen.insert(pointer.page).second) return false;
  if (!source_.fault_of(pointer, level, KeyRange{}).empty()) return false;
  const std::vector<PagePtr> children = children_of(pointer, level);
  if (level > 0) {
    return std::all_of(children.begin(), children.end(),
                       [&](PagePtr child) { return is_catalogue(child, level - 1, seen); });
  }
  const LeafView leaf(view_.at(PageId{pointer.page}), view_.page_bytes);
  for (std::uint32_t i = 0; i < leaf.count(); ++i) {
    const auto record = record_in(leaf.entry(i));
    if (!record) return false;
    const TreeRoot& tree = record->tree;
    if (tree.root && view_.fault_of(tree.root, tree.height - 1u) != nullptr) return false;
  }
  return true;
}

void SalvageTrees::read_rest() {
  std::vector<PagePtr> roots = rest_of_roots();
  if (!source_.has_meta()) {
    const auto catalogue = std::find_if(roots.begin(), roots.end(), [&](PagePtr root) {
      std::set<std::uint32_t> seen;
      return is_catalogue(root, level_of(root), seen);
    });
    TreeRoot found;
    if (catalogue != roots.end()) {
      found.root = *catalogue;
      found.height = static_cast<std::uint8_t>(level_of(*catalogue) + 1);
    }
    read_catalogue(found);
    roots = rest_of_roots();
    if (roots.size() == 1) {
      TableRecord only;
      only.tree.root = roots.front();
      only.tree.height = static_cast<std::uint8_t>(level_of(only.tree.root) + 1);
      read_table("", only);
      return;
    }
  }
  for (const PagePtr root : roots) {
    read_nameless(root, "a tree that no whole page points to");
  }
}

// What the leaf furthest to the left says: a value in every set, or a tree of values, is what
// values of other tables never look like.
bool SalvageTrees::is_multimap(PagePtr pointer) const {
  for (std::uint32_t level = level_of(pointer); level > 0; --level) {
    const std::vector<PagePtr> children = children_of(pointer, level);
    if (children.empty() || !source_.fault_of(children.front(), level - 1, KeyRange{}).empty()) {
      return false;
    }
    pointer = children.front();
  }
  const LeafView leaf(view_.at(PageId{pointer.page}), view_.page_bytes);
  bool has_value = false;
  try {
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      const btree::Values values = btree::Values::of(leaf.page(), leaf.entry(i));
      if (!values.set) return true;
      values.set->judge();
      has_value |= !values.set->value(values.set->count() - 1).empty();
    }
  } catch (const format::Damage&) {
    return false;
  }
  return has_value;
}

void SalvageTrees::read_nameless(PagePtr root, const std::string& reason) {
  std::string name = "salvaged-" + std::to_string(root.page);
  while (found_.contains(name)) name += "-";
  const std::string probably = probable_name(root);
  lose(root.page, reason + (probably.empty() ? "" : ", probably table " + probably) +
                      ": its name or place is lost, so its entries are in table " + name);
  const bool of_pairs = is_multimap(root);
  sink_.table(name, of_pairs);
  Tree& tree = trees_.emplace_back(
      Tree{.name = name, .root = {}, .kind = of_pairs ? Kind::multimap : Kind::table});
  read(tree, root, level_of(root), KeyRange{});
}

// What damaged leaves of the catalogue seem to call the tree with this root.
std::string SalvageTrees::probable_name(PagePtr root) const {
  for (const Loss& loss : trees_.empty() ? std::vector<Loss>{} : trees_.front().losses) {
    if (loss.level > 0 || loss.pointer.page >= view_.page_count) continue;
    try {
      const LeafView leaf(view_.at(PageId{loss.pointer.page}), view_.page_bytes);
      for (std::uint32_t i = 0; i < leaf.count(); ++i) {
        const auto record = record_in(leaf.entry(i));
        if (record && record->tree.root == root) return std::string(leaf.entry(i).key);
      }
    } catch (const format::Damage&) {
      // Then it says nothing.
    }
  }
  return {};
}

void SalvageTrees::lose(std::uint64_t page, const std::string& reason,
                        const std::optional<AffectedKeys>& keys) {
  ++report_.loss_count;
  if (report_.losses.size() >= kLossesKept) return;
  report_.losses.push_back({.page = page, .reason = reason, .keys = keys});
}

// A damaged branch costs nothing when every entry that the tree counts was found below it.
void SalvageTrees::report_losses() {
  for (const Tree& tree : trees_) {
    if (tree.losses.empty()) continue;
    if (tree.root.entry_count != 0 && tree.seen == tree.root.entry_count) continue;
    const bool is_catalogue = tree.kind == Kind::catalogue;
    const std::string place = is_catalogue        ? "catalogue"
                              : tree.name.empty() ? "default table"
                                                  : "table " + tree.name;
    for (const Loss& loss : tree.losses) {
      const KeyRange keys = tree.kind == Kind::values ? btree::only(tree.key) : loss.keys;
      const std::string reason = place + ": " + loss.reason + " (" + btree::describe(keys) + ")";
      if (is_catalogue) {
        lose(loss.pointer.page, reason);
      } else {
        lose(loss.pointer.page, reason, AffectedKeys{tree.name, keys.low, keys.high});
      }
    }
    const std::uint64_t missing =
        tree.root.entry_count - std::min(tree.root.entry_count, tree.seen);
    if (missing > 0) report_.missing_entry_count += missing;
  }
}

}  // namespace quire::db
