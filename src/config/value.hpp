/// \file
/// Level 5: reading one value of a configuration tree: text, numbers, durations, sizes, and maps
/// described by a table of keys. Every mistake becomes a problem with its place.
#pragma once

#include "config/node.hpp"
#include "config/rules.hpp"
#include "config/suggest.hpp"
#include "config/text.hpp"

#include <gw/error.hpp>
#include <gw/limits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

struct World;

/// What all values of one text share.
struct Reading {
  const std::string& file;
  const World& world;  ///< src/config/stages.hpp
  Problems& problems;
};

/// A node on its way into the `Config`. The tree and the reading must outlive it. Its functions
/// report what is wrong and then give nothing, false or no call; an invalid node is silent.
class Value {
 public:
  Value(Reading& reading, const Node& node, std::string path) : reading_(&reading), node_(&node), path_(std::move(path)) {}

  const Node& node() const { return *node_; }
  const World& world() const { return reading_->world; }
  Place place() const { return {reading_->file, node_->line, node_->column, path_}; }
  void problem(std::string what) const { problem_at(place(), std::move(what)); }
  /// Reports a problem of something near the value.
  void problem_at(Place place, std::string what) const { reading_->problems.push_back({std::move(place), std::move(what)}); }

  bool is_null() const { return node_->kind == Node::Kind::null; }
  bool is_scalar() const { return node_->kind == Node::Kind::scalar; }
  bool is_sequence() const { return node_->kind == Node::Kind::sequence; }
  bool is_mapping() const { return node_->kind == Node::Kind::mapping; }
  /// Whether a map has the key `name`.
  bool has(std::string_view name) const {
    return std::any_of(node_->keys.begin(), node_->keys.end(), [&](const Node::Key& key) { return key.text == name; });
  }

  /// How many problems the text has so far.
  std::size_t problem_count() const { return reading_->problems.size(); }

  /// Reports that something else was expected: "a duration such as 10s".
  void expected(std::string_view what) const;

  /// The text of a scalar, without control characters. A view into the tree.
  std::optional<std::string_view> text_or_empty() const;
  /// The text of a scalar that is not empty.
  std::optional<std::string_view> text() const;
  /// The text of a scalar, which may have tabs and several lines.
  std::optional<std::string_view> lines() const;
  std::optional<bool> boolean() const;
  /// A whole number inside `bounds`.
  std::optional<std::uint64_t> number(Bounds bounds) const;
  /// A time above zero and up to a year: "250ms", "10s", "2m", "1h".
  std::optional<Duration> duration() const;
  /// The same, or "0s".
  std::optional<Duration> duration_or_zero() const;
  /// A number of bytes inside `bounds`: "1024", "16KiB", "1MiB", "1GiB".
  std::optional<std::uint64_t> size(Bounds bounds) const;

  /// Calls `f(Value)` for each element of a list that is not empty. `what` is expected otherwise.
  template <class F>
  void each_element(std::string_view what, F&& f) const {
    if (!is_sequence()) return expected(what);
    if (node_->elements.empty()) return problem("the list is empty");
    for (std::size_t i = 0; i < node_->elements.size(); ++i) f(Value(*reading_, node_->elements[i], path_of(path_, i)));
  }
  /// The same for a list, or for one element without a list around it.
  template <class F>
  void each_of_one_or_more(std::string_view what, F&& f) const {
    if (is_sequence())
      each_element(what, f);
    else if (is_scalar() || is_mapping())
      f(*this);
    else
      expected(what);
  }
  /// Calls `f(const Node::Key&, Value)` for each entry of a map. `what` is expected otherwise.
  template <class F>
  void each_entry(std::string_view what, F&& f) const {
    if (!is_mapping()) return expected(what);
    for (std::size_t i = 0; i < node_->keys.size(); ++i) f(node_->keys[i], entry(i));
  }

  /// The value of the `i`th entry of a map.
  Value entry(std::size_t i) const { return Value(*reading_, node_->elements[i], path_of(path_, node_->keys[i].text)); }
  /// The same value under the path of the key `name`, for a key that was misspelt.
  Value entry_as(std::size_t i, std::string_view name) const { return Value(*reading_, node_->elements[i], path_of(path_, name)); }
  /// Reports a problem of the `i`th key of a map.
  void key_problem(std::size_t i, std::string what) const;
  /// The same of the key `name`, if the map has it; whether it has.
  bool key_problem(std::string_view name, std::string what) const;

 private:
  Reading* reading_;
  const Node* node_;
  std::string path_;
};

/// One key of a map that becomes a `T`. Without a function it is one that a later version brings.
template <class T>
struct Key {
  std::string_view name;
  void (*read)(const Value&, T&) = nullptr;
};

/// Reads a map by its table of keys; false if a key was not known. A key that is nearly a known one
/// is reported and then read as that one: its value may have more problems, and nothing else
/// should look as if it were missing.
template <class T, std::size_t n>
bool read_map(const Value& value, T& out, const Key<T> (&keys)[n]) {
  if (!value.is_mapping()) {
    value.expected("a map of keys and values");
    return false;
  }
  const auto find = [&](std::string_view name) -> const Key<T>* {
    for (const Key<T>& key : keys)
      if (key.name == name) return &key;
    return nullptr;
  };
  std::vector<std::string_view> names;
  for (const Key<T>& key : keys)
    if (key.read) names.push_back(key.name);

  bool all_known = true;
  const std::vector<Node::Key>& written = value.node().keys;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const std::string& name = written[i].text;
    if (const Key<T>* key = find(name)) {
      if (key->read) {
        key->read(value.entry(i), out);
      } else {
        value.key_problem(i, not_built_yet(quote(name)));
        all_known = false;
      }
      continue;
    }
    all_known = false;
    const std::string_view meant = closest(name, names);
    value.key_problem(i, "unknown key " + quote(name) + did_you_mean_or_known(name, names));
    if (!meant.empty() && !value.has(meant)) find(meant)->read(value.entry_as(i, meant), out);
  }
  return all_known;
}

/// Reads a value into its place, which keeps its default if the value is wrong.
inline void read(const Value& value, std::string& out) {
  if (const auto text = value.text()) out = *text;
}
inline void read(const Value& value, bool& out) {
  if (const auto flag = value.boolean()) out = *flag;
}
inline void read(const Value& value, Duration& out) {
  if (const auto duration = value.duration()) out = *duration;
}
inline void read_with_zero(const Value& value, Duration& out) {
  if (const auto duration = value.duration_or_zero()) out = *duration;
}
template <class T>
void read_number(const Value& value, T& out, Bounds bounds) {
  if (const auto number = value.number(bounds)) out = static_cast<T>(*number);
}
template <class T>
void read_size(const Value& value, T& out, Bounds bounds) {
  if (const auto bytes = value.size(bounds)) out = static_cast<T>(*bytes);
}
/// Reads a text, unless `mistake` says what is wrong with it.
inline void read_checked(const Value& value, std::string& out, std::string (*mistake)(std::string_view)) {
  const auto text = value.text();
  if (!text) return;
  if (std::string what = mistake(*text); !what.empty())
    value.problem(std::move(what));
  else
    out = *text;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
