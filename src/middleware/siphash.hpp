/// \file
/// Short names for long keys from outside, which nobody outside can make two keys share.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// 128 bits that stand for a key.
struct Fingerprint {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  constexpr bool operator==(const Fingerprint&) const noexcept = default;
};

/// A secret of 128 bits.
struct SipKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// A secret that nobody can guess.
inline SipKey random_sip_key() {
  std::random_device device;
  const auto word = [&] { return (std::uint64_t{device()} << 32) | device(); };
  return {word(), word()};
}

/// SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012) of `text` under a secret key: without the
/// key nobody finds texts whose fingerprints collide or crowd one place of a table. Any thread.
inline Fingerprint siphash(const SipKey& key, std::string_view text) noexcept {
  std::uint64_t v0 = key.low ^ 0x736f6d6570736575, v1 = key.high ^ 0x646f72616e646f6d ^ 0xee;
  std::uint64_t v2 = key.low ^ 0x6c7967656e657261, v3 = key.high ^ 0x7465646279746573;
  const auto rounds = [&](int n) {
    while (n-- > 0) {
      v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
      v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
      v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
      v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
    }
  };
  const auto add = [&](std::uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  };
  const std::uint64_t size = text.size();
  for (; text.size() >= 8; text.remove_prefix(8)) {
    std::uint64_t word;
    std::memcpy(&word, text.data(), 8);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    add(word);
  }
  std::uint64_t last = size << 56;
  for (std::size_t i = 0; i < text.size(); ++i) last |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  add(last);
  Fingerprint result;
  v2 ^= 0xee;
  rounds(4);
  result.low = v0 ^ v1 ^ v2 ^ v3;
  v1 ^= 0xdd;
  rounds(4);
  result.high = v0 ^ v1 ^ v2 ^ v3;
  return result;
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
