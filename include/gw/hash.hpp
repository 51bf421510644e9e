/// \file
/// Level 0: a hash that all gateways agree on. Std only, usable alone.
#pragma once

#include <cstdint>
#include <string_view>

namespace gw {
inline namespace v0 {

/// Spreads a number over all 64 bits; different numbers stay different (the finalizer of SplitMix64).
constexpr std::uint64_t mix(std::uint64_t n) noexcept {
  n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9ULL;
  n = (n ^ n >> 27) * 0x94D049BB133111EBULL;
  return n ^ n >> 31;
}

/// The hash of a text: the same on every machine and in every version, so that gateways side by side decide alike. Every bit counts, also
/// of short texts that differ in one character (FNV-1a, then `mix`). Not keyed: who chooses the text can choose the hash.
constexpr std::uint64_t hash_of(std::string_view text) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return mix(hash);
}

}  // namespace v0
}  // namespace gw
