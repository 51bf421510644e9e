/// \file
/// Level 4: SHA-256 of short texts, many times a second.
#pragma once

#include <gw/version.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// 32 bytes of SHA-256 (FIPS 180-4).
using Digest = std::array<unsigned char, 32>;

/// The digest of `first` followed by `second`. Any thread; does not allocate.
Digest sha256(std::string_view first, std::string_view second = {}) noexcept;

/// Whether the bytes are equal, in a time that depends on their number alone.
bool is_equal(const void* a, const void* b, std::size_t size) noexcept;

/// For tables whose keys are digests of what clients send: a client can neither choose which entries its digest
/// meets, nor learn from the time how much of one it shares.
struct DigestHash {
  std::size_t operator()(const Digest& d) const noexcept {
    std::size_t hash;
    std::memcpy(&hash, d.data(), sizeof hash);
    return hash;
  }
};
struct DigestEqual {
  bool operator()(const Digest& a, const Digest& b) const noexcept {
    // Word by word, where libcrypto goes byte by byte; and like there, nothing ends early.
    std::uint64_t difference = 0;
    for (std::size_t i = 0; i < a.size(); i += sizeof difference) {
      std::uint64_t x, y;
      std::memcpy(&x, a.data() + i, sizeof x);
      std::memcpy(&y, b.data() + i, sizeof y);
      difference |= x ^ y;
    }
    return difference == 0;
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
