/// \file
/// Level 5: problems of a `Config` while it is checked, and what is wrong with its plain values.
#pragma once

#include "config/rules.hpp"

#include <gw/error.hpp>
#include <gw/limits.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace gw {
inline namespace v0 {
namespace config {

/// Collects problems, except about what is known to be wrong already.
class Report {
 public:
  explicit Report(Problems& problems) : problems_(problems) {
    for (const Problem& problem : problems) remember(problem.place.path);
  }

  /// Whether there are problems of the value at `path` or of a part of it.
  bool is_known(const std::string& path) const { return known_.contains(path); }

  /// Appends a problem unless one of its value is known; an empty `what` is none.
  void add(const Place& place, std::string what) {
    if (!what.empty() && !is_known(place.path)) problems_.push_back({place, std::move(what)});
  }
  /// The same of the part `part` of the value at `place`: ".timeouts.connect".
  void add(Place place, std::string_view part, std::string what) {
    place.path += part;
    add(place, std::move(what));
  }

 private:
  /// Remembers a path and what contains it.
  void remember(std::string_view path) {
    for (std::size_t end = path.size(); end != std::string_view::npos && end > 0; end = path.find_last_of(".[", end - 1))
      known_.emplace(path.substr(0, end));
  }

  Problems& problems_;
  std::unordered_set<std::string> known_;
};

/// `place`, with `path` if it has none: what code configured.
inline Place or_path(Place place, std::string path) {
  if (place.path.empty()) place.path = std::move(path);
  return place;
}

/// What is wrong with a duration.
inline std::string duration_mistake(Duration duration) { return duration > Duration::zero() ? "" : "a duration must be above zero"; }

/// What is wrong with a duration that may be zero.
inline std::string duration_or_zero_mistake(Duration duration) {
  return duration >= Duration::zero() ? "" : "a duration must not be below zero";
}

/// What is wrong with a number.
inline std::string number_mistake(std::uint64_t number, Bounds bounds) {
  if (bounds.contain(number)) return {};
  return "expected a number from " + std::to_string(bounds.low) + " to " + std::to_string(bounds.high) + ", found " +
         std::to_string(number);
}

}  // namespace config
}  // namespace v0
}  // namespace gw
