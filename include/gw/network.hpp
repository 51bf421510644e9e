/// \file
/// Level 1: IP addresses, networks, and sets of networks. Text is read strictly: nothing that one reader
/// takes for this address and another for that. Std only; every function may be called from any thread.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// An IPv4 or IPv6 address. An IPv4 address inside IPv6 ("::ffff:10.0.0.1", RFC 4291 2.5.5.2) is that
/// IPv4 address: equal to it, and written like it.
class IpAddress {
 public:
  /// The 16 bytes of an IPv6 address, in the order of the network.
  using Bytes = std::array<unsigned char, 16>;

  /// "::", which is nobody's address.
  constexpr IpAddress() noexcept = default;
  /// The IPv4 address of a number in the order of the host: 0x7f000001 is 127.0.0.1.
  static constexpr IpAddress v4(std::uint32_t number) noexcept { return {0, mapped | number}; }
  static constexpr IpAddress v6(const Bytes& bytes) noexcept {
    IpAddress a;
    for (std::size_t i = 0; i < 8; ++i) {
      a.high_ = (a.high_ << 8) | bytes[i];
      a.low_ = (a.low_ << 8) | bytes[8 + i];
    }
    return a;
  }
  /// Reads "10.0.0.1" (four decimal numbers without leading zeros), or IPv6 as in RFC 4291 2.2,
  /// without brackets and without a zone. Nothing for anything else.
  static constexpr std::optional<IpAddress> parse(std::string_view text) noexcept;

  constexpr bool is_v4() const noexcept { return high_ == 0 && (low_ & ~std::uint64_t{0xffffffff}) == mapped; }
  constexpr Bytes bytes() const noexcept {
    Bytes b{};
    for (std::size_t i = 0; i < 8; ++i) {
      b[i] = static_cast<unsigned char>(high_ >> (56 - 8 * i));
      b[8 + i] = static_cast<unsigned char>(low_ >> (56 - 8 * i));
    }
    return b;
  }
  /// How many bits an address of this family has: 32 or 128.
  constexpr unsigned width() const noexcept { return is_v4() ? 32 : 128; }
  /// The address with only its first `length` bits (at most `width()`), the others 0.
  constexpr IpAddress prefix(unsigned length) const noexcept { return and_mask(length, 0); }
  /// The address with the bits behind the first `length` (at most `width()`) all 1.
  constexpr IpAddress last_of(unsigned length) const noexcept { return and_mask(length, ~std::uint64_t{0}); }
  /// "10.0.0.1" or, as RFC 5952 has it, "2001:db8::7": one text for each address.
  std::string to_string() const;

  /// By number; IPv4 addresses as the IPv6 addresses that they are inside.
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

 private:
  constexpr IpAddress(std::uint64_t high, std::uint64_t low) noexcept : high_(high), low_(low) {}
  // The bits of `word` before bit `length` of it, then those of `rest`.
  static constexpr std::uint64_t mixed(std::uint64_t word, unsigned length, std::uint64_t rest) noexcept {
    const std::uint64_t kept = length == 0 ? 0 : length >= 64 ? ~std::uint64_t{0} : ~std::uint64_t{0} << (64 - length);
    return (word & kept) | (rest & ~kept);
  }
  constexpr IpAddress and_mask(unsigned length, std::uint64_t rest) const noexcept {
    const unsigned bits = is_v4() ? length + 96 : length;
    return {mixed(high_, bits, rest), mixed(low_, bits > 64 ? bits - 64 : 0, rest)};
  }

  static constexpr std::uint64_t mapped = 0xffff00000000;
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

namespace detail {

/// Reads a dotted quad without leading zeros.
constexpr std::optional<std::uint32_t> parse_ipv4(std::string_view text) noexcept {
  std::uint32_t address = 0;
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at == text.size() || text[at++] != '.')) return std::nullopt;
    const std::size_t begin = at;
    std::uint32_t value = 0;
    while (at < text.size() && at - begin < 3 && text[at] >= '0' && text[at] <= '9') value = value * 10 + static_cast<std::uint32_t>(text[at++] - '0');
    if (at == begin || value > 255 || (at - begin > 1 && text[begin] == '0')) return std::nullopt;
    address = (address << 8) | value;
  }
  if (at != text.size()) return std::nullopt;
  return address;
}

constexpr int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Reads eight groups of up to four hexadecimal digits, "::" for a gap of them, the last two perhaps as IPv4.
constexpr std::optional<IpAddress> parse_ipv6(std::string_view text) noexcept {
  std::array<std::uint32_t, 8> groups{};
  std::size_t count = 0;
  std::optional<std::size_t> gap;
  if (text.substr(0, 2) == "::") {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (count == 8) return std::nullopt;
    std::size_t digits = 0;
    std::uint32_t group = 0;
    while (digits < text.size() && digits < 4 && hex_digit(text[digits]) >= 0) group = group * 16 + static_cast<std::uint32_t>(hex_digit(text[digits++]));
    if (digits < text.size() && text[digits] == '.') {
      const auto last = parse_ipv4(text);
      if (!last || count > 6) return std::nullopt;
      groups[count++] = *last >> 16;
      groups[count++] = *last & 0xffff;
      break;
    }
    if (digits == 0) return std::nullopt;
    groups[count++] = group;
    text.remove_prefix(digits);
    if (text.empty()) break;
    if (text[0] != ':' || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
    if (text[0] != ':') continue;
    if (gap) return std::nullopt;
    gap = count;
    text.remove_prefix(1);
  }
  if (gap ? count > 7 : count != 8) return std::nullopt;
  IpAddress::Bytes bytes{};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t place = gap && i >= *gap ? i + 8 - count : i;
    bytes[2 * place] = static_cast<unsigned char>(groups[i] >> 8);
    bytes[2 * place + 1] = static_cast<unsigned char>(groups[i]);
  }
  return IpAddress::v6(bytes);
}

}  // namespace detail

constexpr std::optional<IpAddress> IpAddress::parse(std::string_view text) noexcept {
  if (text.find(':') != std::string_view::npos) return detail::parse_ipv6(text);
  const auto number = detail::parse_ipv4(text);
  return number ? std::optional(v4(*number)) : std::nullopt;
}

inline std::string IpAddress::to_string() const {
  const Bytes b = bytes();
  std::string text;
  if (is_v4()) {
    for (std::size_t i = 12; i < 16; ++i) (text += std::to_string(b[i])) += i < 15 ? "." : "";
    return text;
  }
  const auto group = [&](std::size_t i) { return (b[2 * i] << 8) | b[2 * i + 1]; };
  // The longest run of two zeros or more is the gap, the first of several (RFC 5952 4.2).
  std::size_t gap = 8, length = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t end = i;
    while (end < 8 && group(end) == 0) ++end;
    if (end - i <= length) continue;
    gap = i;
    length = end - i;
  }
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == gap) {
      text += "::";
      i += length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    bool has_begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
      const int digit = (group(i) >> shift) & 15;
      has_begun = has_begun || digit != 0 || shift == 0;
      if (has_begun) text += "0123456789abcdef"[digit];
    }
  }
  return text;
}

/// A network: all addresses with the same first bits. IPv4 and IPv6 are worlds apart: "::/0" has every
/// IPv6 address and no IPv4 address.
class Network {
 public:
  /// The network of one address.
  constexpr explicit Network(const IpAddress& address) noexcept : first_(address), length_(address.width()) {}
  /// Reads "10.0.0.0/8", "2001:db8::/32", or an address, which is a network of its own. Nothing for
  /// anything else, and for an address with bits behind its prefix, such as "10.0.0.1/8": a slip.
  static constexpr std::optional<Network> parse(std::string_view text) noexcept {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    Network network(*address);
    if (slash == std::string_view::npos) return network;
    const std::string_view digits = text.substr(slash + 1);
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
    unsigned length = 0;
    for (const char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
      length = length * 10 + static_cast<unsigned>(c - '0');
    }
    // "::ffff:10.0.0.0/104" is 10.0.0.0/8.
    const bool is_inside_v6 = address->is_v4() && text.find(':') != std::string_view::npos;
    if (is_inside_v6 && length < 96) return std::nullopt;
    network.length_ = is_inside_v6 ? length - 96 : length;
    if (network.length_ > address->width() || address->prefix(network.length_) != *address) return std::nullopt;
    return network;
  }

  constexpr const IpAddress& first() const noexcept { return first_; }
  constexpr IpAddress last() const noexcept { return first_.last_of(length_); }
  /// How many bits all its addresses share.
  constexpr unsigned length() const noexcept { return length_; }
  constexpr bool contains(const IpAddress& address) const noexcept {
    return address.is_v4() == first_.is_v4() && address.prefix(length_) == first_;
  }
  /// "10.0.0.0/8".
  std::string to_string() const { return first_.to_string() + '/' + std::to_string(length_); }

  constexpr bool operator==(const Network&) const noexcept = default;

 private:
  IpAddress first_;
  unsigned length_;
};

/// A set of networks, made once and then only read. `contains` is a binary search over ranges that do
/// not overlap: some ten steps for thousands of networks.
class Networks {
 public:
  /// No network.
  Networks() noexcept = default;
  explicit Networks(const std::vector<Network>& networks) {
    for (const Network& n : networks) (n.first().is_v4() ? v4_ : v6_).emplace_back(n.first(), n.last());
    for (Ranges* ranges : {&v4_, &v6_}) join(*ranges);
  }

  bool contains(const IpAddress& address) const noexcept {
    const Ranges& ranges = address.is_v4() ? v4_ : v6_;
    const auto after = std::upper_bound(ranges.begin(), ranges.end(), address, [](const IpAddress& a, const Range& r) { return a < r.first; });
    return after != ranges.begin() && address <= std::prev(after)->second;
  }
  bool empty() const noexcept { return v4_.empty() && v6_.empty(); }

 private:
  using Range = std::pair<IpAddress, IpAddress>;  // first and last
  using Ranges = std::vector<Range>;

  // Sorts; of two networks that overlap one is inside the other, and goes.
  static void join(Ranges& ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first != b.first ? a.first < b.first : a.second > b.second; });
    Ranges joined;
    for (const Range& r : ranges)
      if (joined.empty() || r.first > joined.back().second) joined.push_back(r);
    ranges = std::move(joined);
  }

  Ranges v4_, v6_;
};

namespace detail {

/// What is wrong with the text of a network; empty: nothing.
inline std::string network_mistake(std::string_view text) {
  if (Network::parse(text)) return {};
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  const std::string said = '"' + std::string(text) + '"';
  if (slash != std::string_view::npos && address) {
    // With this length some network does begin with zeros alone: only the bits behind the prefix are wrong.
    const std::string length(text.substr(slash));
    if (const auto any = Network::parse(address->prefix(0).to_string() + length))
      return said + " has bits behind its prefix: write " + address->prefix(any->length()).to_string() + length;
  }
  return said + " is no network: write an IP address, or one with the length of a prefix, such as 10.0.0.0/8";
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
