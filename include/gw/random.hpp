/// \file
/// Level 0: random numbers for decisions on the way of a request. Std only, usable alone.
#pragma once

#include <cstdint>

namespace gw {
inline namespace v0 {

/// A small, fast source of random numbers (xorshift64*); one per worker. The same seed gives the same numbers. Not for secrets.
class Random {
 public:
  /// Any seed; 0 counts as 1.
  explicit Random(std::uint64_t seed) noexcept : state_(seed ? seed : 1) {}

  /// All 64 bits.
  std::uint64_t operator()() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }

  /// 0 .. n-1, all equally likely but for n / 2^64; n above zero.
  std::uint64_t below(std::uint64_t n) noexcept {
    // The upper half of the product, in 32-bit parts: cheaper than a division, and C++ has no type of 128 bits.
    constexpr std::uint64_t part = 0xFFFFFFFF;
    const std::uint64_t r = (*this)();
    const std::uint64_t middle = (r >> 32) * (n & part) + ((r & part) * (n & part) >> 32);
    return (r >> 32) * (n >> 32) + (middle >> 32) + (((r & part) * (n >> 32) + (middle & part)) >> 32);
  }

 private:
  std::uint64_t state_;
};

}  // namespace v0
}  // namespace gw
