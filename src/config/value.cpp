#include "config/value.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <system_error>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// A unit of a duration or size.
struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 4> time_units{{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<Unit, 5> size_units{{{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}}};

struct Amount {
  std::uint64_t number = 0;
  std::string_view unit;
};

/// The digits at the front of `text`, without leading zeros, and what follows them. A number too
/// large for 64 bits becomes the largest.
std::optional<Amount> parse_amount(std::string_view text) {
  Amount amount;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount.number);
  if (error == std::errc::invalid_argument) return std::nullopt;
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (digits > 1 && text.front() == '0') return std::nullopt;
  if (error == std::errc::result_out_of_range) amount.number = std::numeric_limits<std::uint64_t>::max();
  amount.unit = text.substr(digits);
  return amount;
}

/// `amount` in the smallest of `units`, the largest number if it does not fit; nothing for another unit.
template <std::size_t n>
std::optional<std::uint64_t> in_units(const Amount& amount, const std::array<Unit, n>& units) {
  for (const Unit& unit : units) {
    if (amount.unit != unit.name) continue;
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    return amount.number > most / unit.factor ? most : amount.number * unit.factor;
  }
  return std::nullopt;
}

std::string kind_text(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::sequence:
      return "a list";
    case Node::Kind::mapping:
      return "a map";
    default:
      return node.text.empty() ? "an empty text" : quote(node.text);
  }
}

}  // namespace

void Value::expected(std::string_view what) const {
  if (node_->kind != Node::Kind::invalid) problem("expected " + std::string(what) + ", found " + kind_text(*node_));
}

void Value::key_problem(std::size_t i, std::string what) const {
  const Node::Key& key = node_->keys[i];
  problem_at({reading_->file, key.line, key.column, path_}, std::move(what));
}

bool Value::key_problem(std::string_view name, std::string what) const {
  for (std::size_t i = 0; i < node_->keys.size(); ++i)
    if (node_->keys[i].text == name) return key_problem(i, std::move(what)), true;
  return false;
}

std::optional<std::string_view> Value::text() const {
  if (!is_scalar() || !node_->text.empty()) return text_or_empty();
  expected("text");
  return std::nullopt;
}

std::optional<std::string_view> Value::text_or_empty() const {
  const auto text = lines();
  if (!text || !node_->has_lines) return text;
  problem(find_bad_character(*text, false)->what);
  return std::nullopt;
}

std::optional<std::string_view> Value::lines() const {
  if (is_scalar()) return node_->text;
  // An unquoted {id} is a map with one key and no value.
  if (is_mapping())
    problem("expected text, found a map: text that begins with { must be quoted, as in \"{id}\"");
  else
    expected("text");
  return std::nullopt;
}

std::optional<bool> Value::boolean() const {
  if (is_scalar() && (node_->text == "true" || node_->text == "false")) return node_->text == "true";
  expected("true or false");
  return std::nullopt;
}

std::optional<std::uint64_t> Value::number(Bounds bounds) const {
  if (is_scalar()) {
    const auto amount = parse_amount(node_->text);
    if (amount && amount->unit.empty() && bounds.contain(amount->number)) return amount->number;
  }
  expected("a whole number from " + std::to_string(bounds.low) + " to " + std::to_string(bounds.high));
  return std::nullopt;
}

std::optional<Duration> Value::duration() const {
  const auto duration = duration_or_zero();
  if (duration != Duration::zero()) return duration;
  problem("a duration must be above zero");
  return std::nullopt;
}

std::optional<Duration> Value::duration_or_zero() const {
  constexpr std::string_view form = "a duration such as 10s: a whole number and ms, s, m or h";
  const auto amount = is_scalar() ? parse_amount(node_->text) : std::nullopt;
  const auto milliseconds = amount ? in_units(*amount, time_units) : std::nullopt;
  if (!milliseconds) {
    if (amount && amount->unit.empty())
      problem(quote(node_->text) + " has no unit: write " + node_->text + "s or " + node_->text + "ms");
    else
      expected(form);
    return std::nullopt;
  }
  constexpr std::uint64_t longest = 365 * 24 * time_units.back().factor;
  if (*milliseconds <= longest) return Duration(*milliseconds);
  problem("a duration is at most 8760h, found " + quote(node_->text));
  return std::nullopt;
}

std::optional<std::uint64_t> Value::size(Bounds bounds) const {
  const auto amount = is_scalar() ? parse_amount(node_->text) : std::nullopt;
  const auto bytes = amount ? in_units(*amount, size_units) : std::nullopt;
  if (!bytes)
    expected("a size such as 16KiB: a whole number of bytes, or one with B, KiB, MiB or GiB");
  else if (!bounds.contain(*bytes))
    expected("a size from " + size_text(bounds.low) + " to " + size_text(bounds.high));
  else
    return bytes;
  return std::nullopt;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
