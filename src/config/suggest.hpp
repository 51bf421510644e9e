/// \file
/// Level 5: "did you mean ...?" for names that are not known.
#pragma once

#include "config/text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace config {

/// How many characters must be inserted, removed, replaced or swapped with their neighbour to make
/// `b` of `a`, compared without case; `a.size() + b.size()` if one has more than 64.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  constexpr std::size_t longest = 64;
  if (a.size() > longest || b.size() > longest) return a.size() + b.size();
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  using Row = std::array<std::size_t, longest + 1>;
  Row before_last{}, last{}, row{};
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

/// The one of `candidates` that `word` was probably meant to be, or an empty view: at most one slip
/// per three characters. A view into the candidates. Of more than 1000 none is proposed: many
/// mistakes among many names would take minutes.
template <class Range>
std::string_view closest(std::string_view word, const Range& candidates) {
  if (std::size(candidates) > 1000) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

/// The same as the end of a message: ` (did you mean "port"?)`, or nothing.
template <class Range>
std::string did_you_mean(std::string_view word, const Range& candidates) {
  const std::string_view best = closest(word, candidates);
  return best.empty() ? std::string() : " (did you mean " + quote(best) + "?)";
}

/// The same, and if nothing is near `word`, what there is: `; known are "listen", "routes"`.
template <class Range>
std::string did_you_mean_or_known(std::string_view word, const Range& candidates) {
  if (std::string near = did_you_mean(word, candidates); !near.empty()) return near;
  std::string all;
  for (const auto& candidate : candidates) all += (all.empty() ? "; known are " : ", ") + quote(candidate);
  return all;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
