/// \file
/// Level 2: the rules of a router in little memory. Std only.
#pragma once

#include <gw/error.hpp>
#include <gw/route.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// Rules that no longer change. There may be very many, and a match needs nothing of them but a name: their texts are in one string, and
/// what else rules have is there once, whichever rules have it. Every thread may read it.
class KeptRules {
 public:
  KeptRules() = default;
  /// Each rule has a name.
  explicit KeptRules(std::vector<RouteRule> rules) {
    std::map<RouteRule, Index> known;
    kept_.reserve(rules.size());
    for (RouteRule& rule : rules) {
      Kept& kept = kept_.emplace_back();
      kept.text = static_cast<Index>(text_.size());
      kept.name_size = static_cast<Index>(rule.name.size());
      kept.pattern_size = static_cast<Index>(rule.pattern.size());
      text_ += rule.name;
      if (!rule.name.ends_with(rule.pattern)) text_ += rule.pattern;
      GW_ASSERT(text_.size() < std::numeric_limits<Index>::max());
      rule.name.clear();
      rule.pattern.clear();
      kept.rest = known.try_emplace(std::move(rule), static_cast<Index>(known.size())).first->second;
    }
    text_.shrink_to_fit();
    rests_.resize(known.size());
    while (!known.empty()) {
      auto rest = known.extract(known.begin());
      rests_[rest.mapped()] = std::move(rest.key());
    }
  }

  std::size_t size() const noexcept { return kept_.size(); }
  /// The name of a rule; a view of this object.
  std::string_view name(std::size_t index) const noexcept { return std::string_view(text_).substr(kept_[index].text, kept_[index].name_size); }
  /// The rule as it was given.
  RouteRule rule(std::size_t index) const {
    const std::size_t end = index + 1 < kept_.size() ? kept_[index + 1].text : text_.size();
    const std::size_t size = kept_[index].pattern_size;
    RouteRule rule = rests_[kept_[index].rest];
    rule.name = name(index);
    rule.pattern = text_.substr(end - size, size);
    return rule;
  }

 private:
  using Index = std::uint32_t;

  /// The text of a rule, up to that of the next one, begins with its name and ends with its pattern. Most names are the pattern, or end with
  /// it: then both share what they have in common.
  struct Kept {
    Index text = 0;
    Index name_size = 0;
    Index pattern_size = 0;
    Index rest = 0;  // in `rests_`
  };

  std::vector<Kept> kept_;
  std::vector<RouteRule> rests_;  // without name and pattern; each once
  std::string text_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
