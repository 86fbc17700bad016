// Codecs of several values in one: std::pair, std::tuple and std::optional. Pairs and tuples are
// ordered part by part, so that a range of their first parts is a range of keys.
//
// Parts of fixed size stand as they are. Others end with 00 01, and a 00 inside them is 00 FF, so
// that a shorter part comes first whatever follows it (the technique of CockroachDB's keys, see its
// pkg/util/encoding). Reading one with a string in it copies the string.
#pragma once

#include <quire/codec.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace quire::detail {

inline void append_escaped(Bytes bytes, Encoding& out) {
  for (;;) {
    const std::size_t zero = bytes.find('\0');
    if (zero == Bytes::npos) break;
    out.append(bytes.substr(0, zero));
    out.append(Bytes("\0\xff", 2));
    bytes.remove_prefix(zero + 1);
  }
  out.append(bytes);
  out.append(Bytes("\0\x01", 2));
}

// Takes a part with its end off `rest`; nothing when it has none.
inline std::optional<std::string> take_escaped(Bytes& rest) {
  std::string part;
  for (;;) {
    const std::size_t zero = rest.find('\0');
    if (zero == Bytes::npos || zero + 1 == rest.size()) return std::nullopt;
    part.append(rest.substr(0, zero));
    const char mark = rest[zero + 1];
    rest.remove_prefix(zero + 2);
    if (mark == '\x01') return part;
    if (mark != '\xff') return std::nullopt;
    part.push_back('\0');
  }
}

// What reading a part gives: nothing that points to bytes which were unescaped.
template <typename T>
using Owned =
    std::conditional_t<std::is_same_v<Decoded<T>, std::string_view>, std::string, Decoded<T>>;

template <typename T>
void append_part(Argument<T> value, Encoding& out) {
  if constexpr (FixedSize<T>) {
    Codec<T>::encode(value, out);
  } else {
    Encoding whole;
    append_escaped(encoded<T>(value, whole), out);
  }
}

template <typename T>
std::optional<Owned<T>> owned(std::optional<Decoded<T>> value) {
  if (!value) return std::nullopt;
  return Owned<T>(*std::move(value));
}

template <typename T>
std::optional<Owned<T>> take_part(Bytes& rest) {
  if constexpr (FixedSize<T>) {
    if (rest.size() < Codec<T>::kSizeBytes) return std::nullopt;
    const Bytes part = rest.substr(0, Codec<T>::kSizeBytes);
    rest.remove_prefix(part.size());
    return owned<T>(Codec<T>::decode(part));
  } else {
    const auto part = take_escaped(rest);
    return part ? owned<T>(Codec<T>::decode(*part)) : std::nullopt;
  }
}

// Of a pair or tuple of `Ts`.
template <typename Whole, typename Read, typename... Ts>
struct CompositeCodec {
  using Decoded = Read;
  static constexpr bool kKeepsOrder = (Codec<Ts>::kKeepsOrder && ...);
  static constexpr std::size_t kSizeBytes =
      (FixedSize<Ts> && ...) ? (Codec<Ts>::kSizeBytes + ... + 0) : 0;

  static void encode(const Whole& value, Encoding& out) {
    std::apply([&out](const auto&... parts) { (append_part<Ts>(parts, out), ...); }, value);
  }

  static std::optional<Read> decode(Bytes bytes) {
    // Braces: from the first part to the last.
    std::tuple<std::optional<Owned<Ts>>...> parts{take_part<Ts>(bytes)...};
    return std::apply(
        [&bytes](auto&... part) -> std::optional<Read> {
          if (!bytes.empty() || !(part.has_value() && ...)) return std::nullopt;
          return Read(*std::move(part)...);
        },
        parts);
  }
};

}  // namespace quire::detail

namespace quire {

template <typename First, typename Second>
struct Codec<std::pair<First, Second>>
    : detail::CompositeCodec<std::pair<First, Second>,
                             std::pair<detail::Owned<First>, detail::Owned<Second>>, First,
                             Second> {};

template <typename... Ts>
struct Codec<std::tuple<Ts...>>
    : detail::CompositeCodec<std::tuple<Ts...>, std::tuple<detail::Owned<Ts>...>, Ts...> {};

// Nothing comes before all values.
template <typename T>
struct Codec<std::optional<T>> {
  using Decoded = std::optional<detail::Owned<T>>;
  static constexpr bool kKeepsOrder = Codec<T>::kKeepsOrder;
  static constexpr std::size_t kSizeBytes = 0;
  static void encode(const std::optional<T>& value, Encoding& out) {
    out.append(value ? '\1' : '\0');
    if (value) Codec<T>::encode(*value, out);
  }
  static std::optional<Decoded> decode(Bytes bytes) {
    if (bytes == Bytes("\0", 1)) return std::optional<Decoded>(std::in_place);
    if (bytes.empty() || bytes[0] != '\1') return std::nullopt;
    auto value = Codec<T>::decode(bytes.substr(1));
    if (!value) return std::nullopt;
    return Decoded(detail::Owned<T>(*std::move(value)));
  }
};

}  // namespace quire
