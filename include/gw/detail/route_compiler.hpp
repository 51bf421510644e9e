/// \file
/// Level 2: from rules to the tree that is walked, with everything that is wrong with them. Std only.
#pragma once

#include <gw/detail/route_order.hpp>
#include <gw/detail/route_trie.hpp>
#include <gw/route.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// Something wrong with a rule that was given to a `RouterBuilder`.
struct RouteProblem {
  std::size_t rule = 0;              ///< which rule: the how-manyth `add`, from 0
  std::optional<std::size_t> other;  ///< the earlier rule of a conflict or of the same name
  std::string what;                  ///< e.g. `path "users" must start with "/"`
};

namespace detail {

/// Compiles rules once: sorts them by host and pattern, so that every node of the tree is a range.
/// The rules must outlive it; those without a name get one.
class RouteCompiler {
 public:
  RouteCompiler(std::vector<RouteRule>& rules, const RegexCompiler& compile_regex)
      : rules_(rules), compile_regex_(compile_regex), order_(rules_, details_) {}
  RouteCompiler(const RouteCompiler&) = delete;
  RouteCompiler& operator=(const RouteCompiler&) = delete;

  /// The tree of all rules that are in order by themselves. Appends a problem for each that is not,
  /// for conflicts, and for names used twice; sorted by rule.
  RouteTrie compile(std::vector<RouteProblem>& problems) {
    GW_ASSERT(rules_.size() < std::numeric_limits<Index>::max());
    name_rules();
    details_.resize(rules_.size());
    index_of(RouteTrie::Tests{}, known_tests_, trie_.tests_);  // the first: no tests
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const std::size_t problems_before = problems_.size();
      read_rule(rules_[i], compile_regex_, details_[i], [&](std::string what) { problems_.push_back({i, std::nullopt, std::move(what)}); });
      if (problems_.size() == problems_before) order_.add(i);
    }
    order_.sort();
    GW_ASSERT(order_.size() < std::numeric_limits<Index>::max() / 8);
    build_hosts();
    rank_spellings();
    index_literals();
    report_repeated_names();
    std::stable_sort(problems_.begin(), problems_.end(), [](const RouteProblem& a, const RouteProblem& b) { return a.rule < b.rule; });
    problems.insert(problems.end(), std::make_move_iterator(problems_.begin()), std::make_move_iterator(problems_.end()));
    trie_.shrink();
    return std::move(trie_);
  }

 private:
  using Index = RouteTrie::Index;

  /// Names of methods, hosts, and tests that tell rules with the same pattern apart. Each `level`
  /// says more than the one before: 0 pattern, 1 methods, 2 everything.
  static std::string label(const RouteRule& rule, int level) {
    std::string text;
    if (level >= 1 && !rule.methods.empty()) text = method_list(rule.methods) + ' ';
    if (level < 2) return text + rule.pattern;
    std::vector<std::string> hosts = rule.hosts;
    std::sort(hosts.begin(), hosts.end());
    for (std::size_t i = 0; i < hosts.size(); ++i) text += (i ? "," : "") + hosts[i];
    text += (rule.kind == RouteRule::Kind::regex ? "~" : "") + rule.pattern;
    if (rule.kind == RouteRule::Kind::prefix) text += rule.pattern.ends_with('/') ? "*" : "/*";
    if (rule.priority != 0) text += " priority " + std::to_string(rule.priority);
    for (const FieldTest& test : canonical(rule.headers, true)) text += ' ' + test.name + ": " + test.value;
    for (const FieldTest& test : canonical(rule.query, false)) text += " ?" + test.name + '=' + test.value;
    return text;
  }

  /// Gives a name to each rule without one. Only what the rules say counts, not their order, because
  /// the name is what precedence ends with.
  void name_rules() {
    std::vector<std::size_t> unnamed;
    for (std::size_t i = 0; i < rules_.size(); ++i)
      if (rules_[i].name.empty()) unnamed.push_back(i);
    is_named_.assign(rules_.size(), true);
    for (std::size_t i : unnamed) is_named_[i] = false;

    for (int level = 0; level <= 2 && !unnamed.empty(); ++level) {
      for (std::size_t i : unnamed) rules_[i].name = label(rules_[i], level);
      std::unordered_map<std::string_view, std::size_t> uses;
      for (const RouteRule& rule : rules_) ++uses[rule.name];
      std::vector<std::size_t> shared;
      for (std::size_t i : unnamed)
        if (uses[rules_[i].name] > 1) shared.push_back(i);
      unnamed = std::move(shared);
    }
  }

  void build_hosts() {
    for (std::size_t first = 0, last; first < order_.size(); first = last) {
      const std::string_view host = order_[first].host();
      last = order_.end_of_host(first);
      Index tree = RouteTrie::any_host;
      if (host.starts_with("*.")) tree = add_literal(RouteTrie::wildcard_hosts, host.substr(2));
      else if (!host.empty()) tree = add_literal(RouteTrie::exact_hosts, host);
      std::size_t regexes = first;
      while (regexes < last && !order_.is_regex(regexes)) ++regexes;
      build(tree, first, regexes, host.size());
      if (regexes < last) add_regexes(tree, regexes, last);
    }
  }

  /// Makes [first, last) the regexes of a tree; they are in the right order already.
  void add_regexes(Index tree, std::size_t first, std::size_t last) {
    const auto begin = static_cast<Index>(trie_.regexes_.size());
    for (std::size_t i = first; i < last; ++i) trie_.regexes_.push_back({entry(order_[i].rule), rules_[order_[i].rule].priority, details_[order_[i].rule].regex});
    trie_.regex_lists_.push_back({tree, begin, static_cast<Index>(trie_.regexes_.size())});
    report_conflicts(first, last);
  }

  RouteTrie::Entry entry(Index rule) {
    const RouteDetails& details = details_[rule];
    const Index names = index_of(details.parameters, known_parameters_, trie_.parameters_);
    const Index tests = index_of(RouteTrie::Tests{details.headers, details.query}, known_tests_, trie_.tests_);
    const Index terms = index_of(RouteTrie::Terms{rules_[rule].methods, names, tests, rules_[rule].keep_slashes}, known_terms_, trie_.terms_);
    return {rule, terms, rules_[rule].kind == RouteRule::Kind::prefix, false};
  }

  /// Where `value` is in `all`, which has each value once.
  template <class T>
  static Index index_of(const T& value, std::map<T, Index>& known, std::vector<T>& all) {
    const auto [found, is_new] = known.try_emplace(value, static_cast<Index>(all.size()));
    if (is_new) all.push_back(value);
    return found->second;
  }

  /// Ranks every rule of the trees as if all were at one place: what two spellings of a path lead to is compared so.
  void rank_spellings() {
    trie_.keeps_slashes_ = std::any_of(rules_.begin(), rules_.end(), [](const RouteRule& rule) { return rule.keep_slashes; });
    if (!trie_.keeps_slashes_) return;
    std::vector<std::string> shapes(rules_.size());
    std::vector<Index> sorted;
    for (Index i = 0; i < rules_.size(); ++i) {
      if (rules_[i].kind == RouteRule::Kind::regex) continue;
      for (char c : details_[i].key)
        if (c == literal_mark || c == parameter_mark) shapes[i] += c;
      // More segments come first, then the exact end.
      shapes[i] += static_cast<char>(parameter_mark + (rules_[i].kind == RouteRule::Kind::prefix ? 2 : 1));
      sorted.push_back(i);
    }
    std::sort(sorted.begin(), sorted.end(), [&](Index a, Index b) {
      return shapes[a] != shapes[b] ? shapes[a] < shapes[b] : order_.is_ahead(a, b);
    });
    trie_.standings_.resize(rules_.size());
    Index shape = 0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (i > 0 && shapes[sorted[i]] != shapes[sorted[i - 1]]) ++shape;
      trie_.standings_[sorted[i]] = {shape, static_cast<Index>(i)};
    }
  }

  /// Fills the node of the rules in [first, last), whose keys are the same up to `depth`.
  void build(Index node, std::size_t first, std::size_t last, std::size_t depth) {
    if (is_way_to_one_place(first, last, depth)) {
      nodes()[node].has_tail = true;
      nodes()[node].next = tail(std::string_view(order_[first].key).substr(depth));
      return add_entries(node, first, last);
    }
    std::size_t next = first;
    while (next < last && order_[next].key.size() == depth) ++next;
    if (next > first) add_entries(node, first, next);
    for (std::size_t end; next < last; next = end) {
      const std::string_view key = order_[next].key;
      const std::size_t size = std::min(key.find_first_of("\1\2", depth + 1), key.size());
      const std::string_view same = key.substr(0, size);
      const auto leads_there = [&](const std::string& other) {
        return other.starts_with(same) && (other.size() == size || other[size] == literal_mark || other[size] == parameter_mark);
      };
      for (end = next; end < last && leads_there(order_[end].key);) ++end;
      Index child;
      if (key[depth] == parameter_mark) nodes()[node].next = child = add_node();
      else child = add_literal(node, same.substr(depth + 1));
      build(child, next, end, size);
    }
  }

  /// Whether the rules in [first, last) are all at one place, and that not yet at `depth`.
  bool is_way_to_one_place(std::size_t first, std::size_t last, std::size_t depth) const {
    return first < last && order_[first].key.size() > depth && order_[first].key == order_[last - 1].key;
  }

  /// Where a tail is, which is kept once.
  Index tail(std::string_view text) {
    const auto [found, is_new] = known_tails_.try_emplace(text, static_cast<Index>(trie_.tails_.size()));
    if (is_new) trie_.tails_.push_back({add_text(text), static_cast<Index>(text.size())});
    return found->second;
  }

  Index add_text(std::string_view text) {
    const std::size_t at = trie_.text_.size();
    trie_.text_ += text;
    GW_ASSERT(trie_.text_.size() < std::numeric_limits<Index>::max());
    return static_cast<Index>(at);
  }

  std::vector<RouteTrie::Node>& nodes() { return trie_.nodes_; }

  Index add_node() {
    nodes().emplace_back();
    return static_cast<Index>(nodes().size() - 1);
  }

  Index add_literal(Index parent, std::string_view segment) {
    const Index child = add_node();
    nodes()[parent].has_literals = true;
    RouteTrie::Node& node = nodes()[child];
    node.key = segment_key(segment);
    node.parent = parent;
    node.size = static_cast<Index>(segment.size());
    if (segment.size() > 8) node.text = add_text(segment);
    literals_.push_back(child);
    return child;
  }

  /// Makes [first, last), which are some, the routes of `node`; they are in the right order already.
  void add_entries(Index index, std::size_t first, std::size_t last) {
    RouteTrie::Node& node = nodes()[index];
    node.first = static_cast<Index>(trie_.entries_.size());
    for (std::size_t i = first; i < last; ++i) {
      const Index rule = order_[i].rule;
      trie_.entries_.push_back(entry(rule));
      (rules_[rule].kind == RouteRule::Kind::path ? node.has_exact : node.has_prefixes) = true;
    }
    trie_.entries_.back().is_last = true;
    report_conflicts(first, last);
  }

  /// Reports rules of one place that take the same requests: same kind and tests, and a method in
  /// common; of regexes also the same text and priority.
  void report_conflicts(std::size_t first, std::size_t last) {
    if (last - first < 2) return;
    std::vector<Index> rules;
    for (std::size_t i = first; i < last; ++i) rules.push_back(order_[i].rule);
    const auto takes = [this](Index rule) {
      const bool is_regex = rules_[rule].kind == RouteRule::Kind::regex;
      const std::string_view text = is_regex ? rules_[rule].pattern : std::string_view{};
      const RouteDetails& details = details_[rule];
      return std::tuple<RouteRule::Kind, std::string_view, int, const std::vector<FieldTest>&, const std::vector<FieldTest>&>(
          rules_[rule].kind, text, rules_[rule].priority, details.headers, details.query);
    };
    // By rule within the same tests, so that the later rule is the one reported.
    std::sort(rules.begin(), rules.end(), [&](Index a, Index b) {
      return takes(a) < takes(b) || (!(takes(b) < takes(a)) && a < b);
    });
    constexpr Index nobody = std::numeric_limits<Index>::max();
    std::array<Index, method_names.size() + 1> owners;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (i == 0 || takes(rules[i - 1]) < takes(rules[i])) owners.fill(nobody);
      const MethodSet methods = rules_[rules[i]].methods;
      for (std::size_t m = 0; m < owners.size(); ++m) {
        const bool takes_method = m < method_names.size() ? methods.contains(static_cast<Method>(m)) : methods.empty();
        if (takes_method && owners[m] == nobody) owners[m] = rules[i];
        else if (takes_method && conflicts_.emplace(rules[i], owners[m]).second) report_conflict(rules[i], owners[m]);
      }
    }
  }

  void report_conflict(Index rule, Index other) {
    MethodSet both;
    for (std::size_t m = 0; m < method_names.size(); ++m)
      if (const auto method = static_cast<Method>(m); rules_[rule].methods.contains(method) && rules_[other].methods.contains(method))
        both.insert(method);
    const std::string names = "route \"" + rules_[rule].name + "\" conflicts with route \"" + rules_[other].name + '"';
    const std::string methods = both.empty() ? "every method" : method_list(both);
    problems_.push_back({rule, other, names + ": both take " + methods + " for the same host, path and tests"});
  }

  void index_literals() {
    std::size_t size = 2;
    while (size < 2 * literals_.size()) size *= 2;
    trie_.slots_.assign(size, 0);
    for (Index child : literals_) {
      const RouteTrie::Node& node = nodes()[child];
      std::size_t slot = RouteTrie::hash(node.parent, node.key, node.size) & (size - 1);
      while (trie_.slots_[slot] != 0) slot = (slot + 1) & (size - 1);
      trie_.slots_[slot] = child;
    }
  }

  void report_repeated_names() {
    std::unordered_map<std::string_view, std::size_t> first;
    std::set<std::size_t> conflicting;
    for (const auto& [rule, other] : conflicts_) conflicting.insert(rule);
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const auto [place, is_new] = first.emplace(rules_[i].name, i);
      // Rules without names of their own share one because they are the same, which has been said.
      if (is_new || (!is_named_[i] && conflicting.contains(i))) continue;
      problems_.push_back({i, place->second, "another route is named \"" + rules_[i].name + "\" already"});
    }
  }

  std::vector<RouteRule>& rules_;
  const RegexCompiler& compile_regex_;
  std::vector<RouteDetails> details_;
  std::map<std::vector<std::string>, Index> known_parameters_;
  std::map<RouteTrie::Tests, Index> known_tests_;
  std::map<RouteTrie::Terms, Index> known_terms_;
  std::unordered_map<std::string_view, Index> known_tails_;  // views of the keys of `order_`
  std::vector<bool> is_named_;
  std::vector<Index> literals_;
  std::set<std::pair<Index, Index>> conflicts_;
  std::vector<RouteProblem> problems_;
  RouteTrie trie_;
  RouteOrder order_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
