#include "fuzz/seal.h"

#include <span>

#include "format/checksum.h"
#include "format/space_map.h"
#include "fuzz/layout.h"

namespace quire::fuzz {
namespace {

constexpr std::size_t kHashedBytesMax = std::size_t{8} << 20;  // per file: extents may overlap

class Sealer {
 public:
  explicit Sealer(FileBytes& file)
      : file_(file), layout_(file), seed_(layout_.meta().checksum_seed) {}

  void run() {
    for (const std::uint32_t number : layout_.leaves()) seal_extents(layout_.page(number));
    seal_pages();
    if (layout_.ring() != nullptr) seal_log();
    seal_metas();
  }

 private:
  void seal_extents(std::byte* page) {
    for_entries(page, layout_.page_bytes(), [&](std::uint32_t, const format::LeafEntry& entry) {
      if (entry.in_extent) {
        seal_reference(page + (reinterpret_cast<const std::byte*>(entry.value.data()) - page));
      }
    });
  }

  void seal_reference(std::byte* at) {
    auto extent = load<format::ExtentRef>(at);
    const std::uint64_t offset = std::uint64_t{extent.first_page} * layout_.page_bytes();
    if (offset >= file_.size() || extent.size_bytes > file_.size() - offset) return;
    hashed_bytes_ += extent.size_bytes;
    if (hashed_bytes_ > kHashedBytesMax) return;
    extent.checksum = format::checksum(file_.data() + offset, extent.size_bytes, seed_);
    store(at, extent);
  }

  void seal_pages() {
    for (std::uint32_t number = 0; number < layout_.page_count(); ++number) {
      const auto kind = layout_.header(number).kind;
      const bool is_sealed = kind == format::PageKind::branch || kind == format::PageKind::leaf ||
                             kind == format::PageKind::map;
      if (!is_sealed) continue;
      std::byte* page = layout_.page(number);
      store(page, format::page_checksum(page, layout_.page_bytes(), seed_));
    }
  }

  void seal_log() {
    const format::Meta& meta = layout_.meta();
    for_records(layout_.ring(), layout_.ring_bytes(), meta.log_start,
                [&](std::byte* record, const format::RecordHeader& header) {
                  seal_operations(record + sizeof header, header.payload_bytes);
                });
    const LogStart start = {meta.log_start, meta.log_chain, meta.txn, meta.epoch, seed_};
    seal_ring(layout_.ring(), layout_.ring_bytes(), start, false);
  }

  void seal_operations(std::byte* payload, std::size_t payload_bytes) {
    format::OperationReader operations({payload, payload_bytes});
    format::Operation operation;
    std::size_t at = 0;
    while (operations.next(operation)) {
      if (operation.kind == format::OperationKind::put_extent) {
        seal_reference(payload + at + sizeof(format::OperationHeader) + operation.key.size());
      }
      at += format::operation_bytes(operation);
    }
  }

  void seal_metas() {
    for (int slot = 0; slot < 2; ++slot) {
      if (!layout_.has_meta_at(slot)) continue;
      std::byte* at = file_.data() + format::kMetaOffset[slot];
      auto meta = load<format::Meta>(at);
      meta.checksum = format::meta_checksum(meta);
      store(at, meta);
    }
  }

  FileBytes& file_;
  Layout layout_;
  std::uint64_t seed_;
  std::size_t hashed_bytes_ = 0;
};

}  // namespace

void seal_file(FileBytes& file) { Sealer(file).run(); }

void seal_ring(std::byte* ring, std::size_t ring_bytes, const LogStart& start, bool renumber) {
  std::uint64_t chain = start.chain;
  std::uint64_t txn = start.txn;
  for_records(ring, ring_bytes, start.position, [&](std::byte* at, format::RecordHeader header) {
    header.epoch = start.epoch;
    header.chain = chain;
    if (renumber) {
      header.previous_txn = txn;
      header.txn = (header.flags & format::kRecordPad) != 0 ? txn : txn + 1;
    }
    txn = header.txn;
    store(at, header);
    header.checksum = format::record_checksum(at, header.payload_bytes, start.seed);
    store(at, header);
    chain = header.checksum;
  });
}

}  // namespace quire::fuzz
