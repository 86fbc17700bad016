// How values of C++ types become keys and values of a table, and back. A codec that keeps order
// gives bytes that compare as the values do, so that a typed table is ordered as its keys are.
//
//   type                               bytes
//   bool                               00, 01
//   integers up to 64 bits             big-endian, the sign bit of signed ones flipped
//   float, double                      big-endian; positive: sign bit flipped, negative: all bits
//   enums                              as the integer below them
//   std::chrono duration, time_point   as the number that they count
//   std::string, std::string_view      as they are
//   std::array of fixed-size types     one element after the other; of char: the bytes, compared
//                                      as unsigned
//   std::optional                      00, or 01 and the value
//   std::pair, std::tuple              one part after the other (see quire/composite.h)
//   Plain<T>                           the bytes in memory; no order: values only
//
// Floating point is ordered as IEEE 754 totalOrder has it: -0.0 is a key of its own directly before
// 0.0, and NaNs are keys at both ends, by their bits. `char`, `wchar_t` and `long double` differ
// between machines and have no codec.
//
// A type of one's own gets one by a specialisation:
//
//   template <>
//   struct quire::Codec<Colour> {
//     using Decoded = Colour;                         // what reading gives; see below
//     static constexpr bool kKeepsOrder = true;       // may be a key
//     static constexpr std::size_t kSizeBytes = 3;    // of every value; 0 = sizes vary
//     static void encode(const Colour& colour, Encoding& out);       // appends
//     static std::optional<Decoded> decode(Bytes bytes);             // nothing: no such value
//   };
//
// `Decoded` may be a std::string_view of the very bytes, and nothing else that points to them. If
// the bytes of a value exist already, `static Bytes borrow(value)` saves copying them. `encode`
// takes `const T&`, or what `using Argument` says.
//
// Threads: any. Errors: what an allocation throws; nothing is allocated for encodings of up to
// Encoding::kInlineBytes bytes.
#pragma once

#include <quire/options.h>

#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace quire {

// Bytes that an encoder appends to: on the stack while they are few.
class Encoding {
 public:
  static constexpr std::size_t kInlineBytes = 96;

  Encoding() noexcept {}  // the inline bytes stay uninitialised
  Encoding(const Encoding&) = delete;
  Encoding& operator=(const Encoding&) = delete;

  void append(Bytes bytes) {
    if (bytes.empty()) return;
    if (overflow_.empty() && bytes.size() <= kInlineBytes - size_bytes_) {
      std::memcpy(inline_ + size_bytes_, bytes.data(), bytes.size());
      size_bytes_ += bytes.size();
      return;
    }
    if (overflow_.empty()) overflow_.assign(inline_, size_bytes_);
    overflow_.append(bytes);
  }
  void append(char byte) { append(Bytes(&byte, 1)); }

  // Valid until the next append.
  Bytes bytes() const noexcept {
    return overflow_.empty() ? Bytes(inline_, size_bytes_) : Bytes(overflow_);
  }

 private:
  std::size_t size_bytes_ = 0;  // of the inline ones
  char inline_[kInlineBytes];
  std::string overflow_;  // all bytes, once they are more than that
};

template <typename T>
struct Codec;

// A trivially copyable type as its bytes in memory, padding included: for files that stay on
// machines of one kind and programs that agree about the type. Names the codec only: a table of
// Plain<T> takes and gives T.
template <typename T>
struct Plain;

namespace detail {

template <typename T>
concept Integer = std::integral<T> && sizeof(T) <= 8 && !std::same_as<T, bool> &&
                  !std::same_as<T, char> && !std::same_as<T, wchar_t>;

template <typename T>
concept Float = std::same_as<T, float> || std::same_as<T, double>;

template <typename T>
concept FixedSize = (Codec<T>::kSizeBytes > 0);

// The unsigned integer of so many bytes.
template <std::size_t kSizeBytes>
using Word = std::conditional_t<
    kSizeBytes == 1, std::uint8_t,
    std::conditional_t<kSizeBytes == 2, std::uint16_t,
                       std::conditional_t<kSizeBytes == 4, std::uint32_t, std::uint64_t>>>;

template <typename W>
void append_big_endian(W word, Encoding& out) {
  char bytes[sizeof(W)];
  for (std::size_t i = sizeof(W); i > 0; --i) {
    bytes[i - 1] = static_cast<char>(word & 0xff);
    word = static_cast<W>(word >> (sizeof(W) > 1 ? 8 : 0));
  }
  out.append(Bytes(bytes, sizeof(W)));
}

template <typename W>
std::optional<W> read_big_endian(Bytes bytes) {
  if (bytes.size() != sizeof(W)) return std::nullopt;
  std::uint64_t word = 0;
  for (const char byte : bytes) word = word << 8 | static_cast<unsigned char>(byte);
  return static_cast<W>(word);
}

template <typename W>
inline constexpr W kSignBit = static_cast<W>(W{1} << (sizeof(W) * 8 - 1));

// What the codec takes to encode.
template <typename T>
struct ArgumentOf {
  using Type = const T&;
};
template <typename T>
requires requires { typename Codec<T>::Argument; }
struct ArgumentOf<T> {
  using Type = typename Codec<T>::Argument;
};
template <typename T>
using Argument = typename ArgumentOf<T>::Type;

template <typename T>
using Decoded = typename Codec<T>::Decoded;

// The bytes of a value: its own, or what `buffer` holds then.
template <typename T>
Bytes encoded(Argument<T> value, Encoding& buffer) {
  if constexpr (requires { Codec<T>::borrow(value); }) {
    return Codec<T>::borrow(value);
  } else {
    Codec<T>::encode(value, buffer);
    return buffer.bytes();
  }
}

}  // namespace detail

template <>
struct Codec<bool> {
  using Decoded = bool;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = 1;
  static void encode(bool value, Encoding& out) { out.append(value ? '\1' : '\0'); }
  static std::optional<bool> decode(Bytes bytes) {
    if (bytes.size() != 1 || static_cast<unsigned char>(bytes[0]) > 1) return std::nullopt;
    return bytes[0] != '\0';
  }
};

template <detail::Integer T>
struct Codec<T> {
  using Decoded = T;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = sizeof(T);
  static void encode(T value, Encoding& out) {
    detail::append_big_endian(static_cast<Word>(static_cast<Word>(value) ^ kFlipped), out);
  }
  static std::optional<T> decode(Bytes bytes) {
    const auto word = detail::read_big_endian<Word>(bytes);
    if (!word) return std::nullopt;
    return static_cast<T>(static_cast<Word>(*word ^ kFlipped));
  }

 private:
  using Word = detail::Word<sizeof(T)>;
  static constexpr Word kFlipped = std::is_signed_v<T> ? detail::kSignBit<Word> : Word{0};
};

template <detail::Float T>
struct Codec<T> {
  using Decoded = T;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = sizeof(T);
  static void encode(T value, Encoding& out) {
    const auto word = std::bit_cast<Word>(value);
    const bool is_negative = (word & detail::kSignBit<Word>) != 0;
    detail::append_big_endian(is_negative ? ~word : word ^ detail::kSignBit<Word>, out);
  }
  static std::optional<T> decode(Bytes bytes) {
    const auto word = detail::read_big_endian<Word>(bytes);
    if (!word) return std::nullopt;
    const bool is_negative = (*word & detail::kSignBit<Word>) == 0;
    return std::bit_cast<T>(is_negative ? ~*word : *word ^ detail::kSignBit<Word>);
  }

 private:
  using Word = detail::Word<sizeof(T)>;
};

template <typename T>
requires std::is_enum_v<T>
struct Codec<T> {
  using Decoded = T;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = sizeof(T);
  static void encode(T value, Encoding& out) {
    Codec<Below>::encode(static_cast<Below>(value), out);
  }
  static std::optional<T> decode(Bytes bytes) {
    const auto number = Codec<Below>::decode(bytes);
    if (!number) return std::nullopt;
    return static_cast<T>(*number);
  }

 private:
  using Below = std::underlying_type_t<T>;
};

template <typename Count, typename Period>
struct Codec<std::chrono::duration<Count, Period>> {
  using Decoded = std::chrono::duration<Count, Period>;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = Codec<Count>::kSizeBytes;
  static void encode(Decoded value, Encoding& out) { Codec<Count>::encode(value.count(), out); }
  static std::optional<Decoded> decode(Bytes bytes) {
    const auto count = Codec<Count>::decode(bytes);
    if (!count) return std::nullopt;
    return Decoded(*count);
  }
};

template <typename Clock, typename Duration>
struct Codec<std::chrono::time_point<Clock, Duration>> {
  using Decoded = std::chrono::time_point<Clock, Duration>;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = Codec<Duration>::kSizeBytes;
  static void encode(Decoded value, Encoding& out) {
    Codec<Duration>::encode(value.time_since_epoch(), out);
  }
  static std::optional<Decoded> decode(Bytes bytes) {
    const auto since = Codec<Duration>::decode(bytes);
    if (!since) return std::nullopt;
    return Decoded(*since);
  }
};

// Reading gives a view into the map, valid as long as those of the raw table.
template <>
struct Codec<std::string_view> {
  using Argument = std::string_view;
  using Decoded = std::string_view;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = 0;
  static void encode(std::string_view value, Encoding& out) { out.append(value); }
  static Bytes borrow(std::string_view value) { return value; }
  static std::optional<Decoded> decode(Bytes bytes) { return bytes; }
};

template <>
struct Codec<std::string> : Codec<std::string_view> {};

template <typename T, std::size_t kCount>
requires detail::FixedSize<T>
struct Codec<std::array<T, kCount>> {
  using Decoded = std::array<T, kCount>;
  static constexpr bool kKeepsOrder = Codec<T>::kKeepsOrder;
  static constexpr std::size_t kSizeBytes = kCount * Codec<T>::kSizeBytes;
  static void encode(const Decoded& values, Encoding& out) {
    for (const T& value : values) Codec<T>::encode(value, out);
  }
  static std::optional<Decoded> decode(Bytes bytes) {
    static_assert(std::same_as<typename Codec<T>::Decoded, T>);
    constexpr std::size_t kEachBytes = Codec<T>::kSizeBytes;
    if (bytes.size() != kSizeBytes) return std::nullopt;
    Decoded values{};
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto value = Codec<T>::decode(bytes.substr(i * kEachBytes, kEachBytes));
      if (!value) return std::nullopt;
      values[i] = *value;
    }
    return values;
  }
};

template <std::size_t kCount>
struct Codec<std::array<char, kCount>> {
  using Decoded = std::array<char, kCount>;
  static constexpr bool kKeepsOrder = true;
  static constexpr std::size_t kSizeBytes = kCount;
  static void encode(const Decoded& values, Encoding& out) { out.append(borrow(values)); }
  static Bytes borrow(const Decoded& values) { return Bytes(values.data(), kCount); }
  static std::optional<Decoded> decode(Bytes bytes) {
    if (bytes.size() != kCount) return std::nullopt;
    Decoded values{};
    bytes.copy(values.data(), kCount);
    return values;
  }
};

template <typename T>
struct Codec<Plain<T>> {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
  using Argument = const T&;
  using Decoded = T;
  static constexpr bool kKeepsOrder = false;
  static constexpr std::size_t kSizeBytes = sizeof(T);
  static void encode(const T& value, Encoding& out) { out.append(borrow(value)); }
  static Bytes borrow(const T& value) {
    return Bytes(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  static std::optional<T> decode(Bytes bytes) {
    if (bytes.size() != sizeof(T)) return std::nullopt;
    std::array<std::byte, sizeof(T)> aligned;  // the map aligns nothing
    std::memcpy(aligned.data(), bytes.data(), sizeof(T));
    return std::bit_cast<T>(aligned);
  }
};

}  // namespace quire
