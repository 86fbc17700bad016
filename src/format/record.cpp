#include "format/record.h"

#include <cstring>

#include "format/checksum.h"

namespace quire::format {
namespace {

bool is_known(OperationKind kind) noexcept {
  return kind >= OperationKind::put && kind <= OperationKind::erase_pair;
}

}  // namespace

std::uint64_t record_checksum(const std::byte* record, std::size_t payload_bytes,
                              std::uint64_t seed) noexcept {
  constexpr std::size_t kFrom = offsetof(RecordHeader, epoch);
  return checksum(record + kFrom, sizeof(RecordHeader) - kFrom + payload_bytes, seed);
}

std::size_t operation_bytes(const Operation& operation) noexcept {
  const std::size_t value_bytes =
      operation.kind == OperationKind::put_extent ? sizeof(ExtentRef) : operation.value.size();
  return sizeof(OperationHeader) + operation.key.size() + value_bytes;
}

void append_operation(std::vector<std::byte>& payload, const Operation& operation) {
  const bool has_extent = operation.kind == OperationKind::put_extent;
  const std::string_view value =
      has_extent
          ? std::string_view(reinterpret_cast<const char*>(&operation.extent), sizeof(ExtentRef))
          : operation.value;
  OperationHeader header;
  header.kind = operation.kind;
  header.key_bytes = static_cast<std::uint16_t>(operation.key.size());
  header.table_id = operation.table_id;
  header.value_bytes = static_cast<std::uint32_t>(value.size());
  const auto append = [&](const void* bytes, std::size_t size_bytes) {
    const auto* first = static_cast<const std::byte*>(bytes);
    payload.insert(payload.end(), first, first + size_bytes);
  };
  append(&header, sizeof header);
  append(operation.key.data(), operation.key.size());
  append(value.data(), value.size());
}

bool OperationReader::next(Operation& operation) noexcept {
  if (rest_.empty() || damaged_) return false;
  OperationHeader header;
  damaged_ = true;
  if (rest_.size() < sizeof header) return false;
  std::memcpy(&header, rest_.data(), sizeof header);
  const std::size_t content_bytes = std::size_t{header.key_bytes} + header.value_bytes;
  if (rest_.size() - sizeof header < content_bytes) return false;
  if (!is_known(header.kind)) return false;
  const bool has_extent = header.kind == OperationKind::put_extent;
  if (has_extent && header.value_bytes != sizeof(ExtentRef)) return false;

  const auto* content = reinterpret_cast<const char*>(rest_.data() + sizeof header);
  operation = {};
  operation.kind = header.kind;
  operation.table_id = header.table_id;
  operation.key = {content, header.key_bytes};
  if (has_extent) {
    std::memcpy(&operation.extent, content + header.key_bytes, sizeof(ExtentRef));
  } else {
    operation.value = {content + header.key_bytes, header.value_bytes};
  }
  rest_ = rest_.subspan(sizeof header + content_bytes);
  damaged_ = false;
  return true;
}

}  // namespace quire::format
