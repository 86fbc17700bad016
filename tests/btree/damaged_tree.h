// A tree to be damaged, and ways to damage it.
#pragma once

#include <quire/error.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "btree/cursor.h"
#include "btree/tree.h"
#include "btree/tree_store.h"
#include "btree/walk.h"
#include "format/branch.h"
#include "format/leaf.h"
#include "format/nasty_keys.h"
#include "support/random.h"

namespace quire::test {

inline constexpr std::uint32_t kPageBytes = 4096;

// Keys in groups, each with a long stem of its own: long separators, few children in a branch.
inline std::string grouped(std::uint64_t number) {
  return pattern(300, number % 40) + big_endian(number / 40);
}

// A tree of three levels and less than a hundred pages, with extents.
struct DamageSample {
  DamageSample() : store(kPageBytes, 1000), random(7), keys(random, 60) {
    const auto put = [&](const std::string& key, const std::string& value) {
      store.put(tree, key, value);
      model[key] = value;
    };
    for (std::uint64_t i = 0; i < 400; ++i) put(grouped(i), std::string(50, 'v'));
    for (int i = 0; i < 100; ++i) {
      put(keys.next(), std::string(random.one_in(20) ? 5000 : 40, 'w'));
    }
    store.commit();
    for (std::uint64_t i = 0; i < 400; i += 10) {
      store.erase(tree, grouped(i));
      model.erase(grouped(i));
    }
    store.commit();
  }

  // Pages by level.
  std::vector<std::uint32_t> pages_of(std::uint32_t wanted) {
    class Collecting final : public btree::Visitor {
     public:
      explicit Collecting(std::uint32_t level) : level_(level) {}
      bool enter(format::PagePtr, std::uint32_t) override { return true; }
      bool page(PageId page, const std::byte*, std::uint32_t level) override {
        if (level == level_) found.push_back(page.value);
        return true;
      }
      void extent(const format::ExtentRef&, std::string_view) override {}
      std::vector<std::uint32_t> found;

     private:
      std::uint32_t level_;
    } collecting(wanted);
    btree::walk(store.view(), tree, collecting);
    return collecting.found;
  }

  TreeStore store;
  format::TreeRoot tree;
  Model model;
  Random random;
  NastyKeys keys;
};

inline bool is_corrupt(const Error& error) {
  return error.code() == make_error_code(Errc::corrupt);
}

// Runs `step`; an Errc::corrupt that names file and page is all that it may throw.
template <typename Step>
void tolerate(Step&& step) {
  try {
    step();
  } catch (const Error& error) {
    EXPECT_TRUE(is_corrupt(error)) << error.what();
    EXPECT_NE(std::string(error.what()).find("test.quire: page "), std::string::npos);
  }
}

// Changes bytes of a page and puts them back at the end.
class Damaged {
 public:
  Damaged(TreeStore& store, std::uint32_t page, std::uint32_t offset, const std::string& bytes)
      : at_(reinterpret_cast<char*>(store.page(page)) + offset), before_(at_, bytes.size()) {
    std::memcpy(at_, bytes.data(), bytes.size());
  }
  Damaged(const Damaged&) = delete;
  Damaged& operator=(const Damaged&) = delete;
  ~Damaged() { std::memcpy(at_, before_.data(), before_.size()); }

  bool changed() const { return std::memcmp(at_, before_.data(), before_.size()) != 0; }

 private:
  char* at_;
  std::string before_;
};

// Exchanges two neighbours of an array in a page.
class Exchanged {
 public:
  Exchanged(TreeStore& store, std::uint32_t page, std::uint32_t array, std::uint32_t width,
            std::uint32_t index)
      : damaged_(store, page, array + index * width,
                 text(store, page, array + (index + 1) * width, width) +
                     text(store, page, array + index * width, width)) {}

 private:
  static std::string text(const TreeStore& store, std::uint32_t page, std::uint32_t at,
                          std::uint32_t width) {
    return {reinterpret_cast<const char*>(store.page(page)) + at, width};
  }

  Damaged damaged_;
};

// Where a page holds something: header, arrays, records.
inline std::vector<std::uint32_t> meaningful_bytes(const std::byte* page, std::uint32_t level) {
  std::set<std::uint32_t> all;
  const auto add = [&](std::uint32_t from, std::uint32_t to) {
    for (; from < to; ++from) all.insert(from);
  };
  add(8, 28);  // the checksum matters only once sealed; heap_begin may lie anywhere below
  add(32, format::kArraysOffset);
  if (level == 0) {
    const format::LeafView leaf(page, kPageBytes);
    add(format::kArraysOffset, format::kArraysOffset + leaf.count() * 6);
    for (std::uint32_t i = 0; i < leaf.count(); ++i) {
      add(leaf.record_offset(i), leaf.record_offset(i) + 4);
    }
  } else {
    const format::BranchView branch(page, kPageBytes);
    const format::BranchArrays arrays(branch.count(), branch.prefix_bytes());
    add(format::kArraysOffset, format::kArraysOffset + branch.prefix_bytes());
    add(arrays.heads, arrays.tails + branch.count() * 2);
    add(arrays.children, arrays.end);
    for (std::uint32_t i = 1; i < branch.count(); ++i) {
      if (branch.tail(i) > 4) add(branch.tail(i), branch.tail(i) + 2);
    }
  }
  return {all.begin(), all.end()};
}

inline bool has_fault(const Findings& findings, const std::string& text) {
  for (const std::string& fault : findings.faults) {
    if (fault.find(text) != std::string::npos) return true;
  }
  return false;
}

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace quire::test
