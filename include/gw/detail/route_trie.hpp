/// \file
/// Level 2: the flat tree that a router walks. Std only; made by `RouteCompiler`.
#pragma once

#include <gw/detail/request_tests.hpp>
#include <gw/detail/route_pattern.hpp>
#include <gw/params.hpp>
#include <gw/route.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {

/// Eight bytes that stand for a segment: up to eight characters they and the size say it all,
/// beyond they are a hash.
inline std::uint64_t segment_key(std::string_view s) noexcept {
  const auto load = [](const char* from, auto value) { return std::memcpy(&value, from, sizeof value), std::uint64_t{value}; };
  const char* p = s.data();
  const std::size_t n = s.size();
  if (n > 8) {
    std::uint64_t hash = n;
    for (std::size_t i = 0; i + 8 <= n; i += 8) hash = (hash ^ load(p + i, std::uint64_t{})) * 0x9e3779b97f4a7c15u, hash ^= hash >> 32;
    return (hash ^ load(p + n - 8, std::uint64_t{})) * 0x9e3779b97f4a7c15u;
  }
  if (n >= 4) return load(p, std::uint32_t{}) | load(p + n - 4, std::uint32_t{}) << 32;
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < n; ++i) key = key << 8 | static_cast<unsigned char>(p[i]);
  return key;
}

/// The routes of a router as a tree of segments, in flat arrays, and behind it a list of regexes; one
/// of both for each host. A way that leads to one place only is no chain of nodes but a text, its tail: most
/// routes have a segment of their own somewhere, and behind it what many have. Immutable once compiled, so
/// every thread may walk it. No walk allocates, unless a pattern has more than eight parameters.
class RouteTrie {
 public:
  /// What a walk ended with.
  struct Found {
    std::size_t route = 0;  ///< its index among the rules; meaningless unless `is_match`
    std::size_t prefix_length = 0;
    bool is_match = false;
    bool is_unmerged = false;  ///< it was `RouteQuery::unmerged_path` that matched
    int claim = 0;  ///< see `claim_of`; set only where two spellings of a path are walked
  };

  /// The route of a request. Fills `params`, which must be empty, and `allowed` with the methods of
  /// routes that only the method kept away; they are all known only if nothing matches.
  Found find(const RouteQuery& request, Params& params, MethodSet& allowed) const {
    Walk walk{request, params, allowed, {}};
    if (request.path.empty() || request.path.front() != '/') return walk.found;
    if (nodes_[exact_hosts].has_literals || nodes_[wildcard_hosts].has_literals) {
      std::array<char, 256> buffer;
      if (find_in_hosts(walk, plain_host(request.host, buffer))) return walk.found;
    }
    find_in(walk, any_host);
    return walk.found;
  }

  /// Whether a rule looks at `RouteQuery::unmerged_path`.
  bool keeps_slashes() const noexcept { return keeps_slashes_; }
  /// The regular expressions, by rule; null: it has none.
  std::vector<const PathRegex*> regexes(std::size_t rules) const {
    std::vector<const PathRegex*> regexes(rules);
    for (const RegexEntry& e : regexes_) regexes[e.entry.route] = e.regex.get();
    return regexes;
  }

 private:
  friend class RouteCompiler;
  using Index = std::uint32_t;

  /// Gives back the room that growing has left.
  void shrink() {
    nodes_.shrink_to_fit();
    entries_.shrink_to_fit();
    regexes_.shrink_to_fit();
    tails_.shrink_to_fit();
    text_.shrink_to_fit();
  }

  /// Hosts are found like segments, below two nodes of their own: the trees of exact hosts, and
  /// those of "*.name" below the name. A child's index is never 0.
  static constexpr Index exact_hosts = 0, wildcard_hosts = 1, any_host = 2;

  /// A place in a pattern, after some of its segments. Its routes, or those at the end of its tail, are `entries_` from `first` on.
  struct Node {
    std::uint64_t key = 0;  // of the segment that leads here
    Index parent = 0;
    Index text = 0;  // where that segment is in `text_`
    Index size = 0;
    Index next = 0;  // the child behind "{name}", or 0; with a tail where that is in `tails_`
    Index first = 0;
    bool has_literals = false;
    bool has_tail = false;      // nothing else is below
    bool has_exact = false;     // of its routes, or those of its tail, some are paths
    bool has_prefixes = false;  // and some prefixes
  };
  static_assert(sizeof(Node) == 32);

  /// A route at a node. Those of one node are sorted: exact before prefix, methods before none, more
  /// headers, more query tests, name.
  struct Entry {
    Index route = 0;
    Index terms : 30 = 0;  // in `terms_`
    Index is_prefix : 1 = 0;
    Index is_last : 1 = 0;  // of its node
  };
  static_assert(sizeof(Entry) == 8);

  /// What an entry asks of a request whose path it takes. Many have the same.
  struct Terms {
    MethodSet methods;
    Index parameters = 0;  // the names, in `parameters_`
    Index tests = 0;       // in `tests_`; 0: none
    bool keeps_slashes = false;

    friend auto operator<=>(const Terms&, const Terms&) = default;
  };

  /// The marks and segments of a key behind some node, in `text_`.
  struct Tail {
    Index text = 0;
    Index size = 0;
  };

  /// What fields of a request must be.
  struct Tests {
    std::vector<FieldTest> headers;  // canonical
    std::vector<FieldTest> query;    // canonical

    friend auto operator<=>(const Tests&, const Tests&) = default;
  };

  /// A route by regular expression. Those of one tree are sorted: priority, methods before none, more
  /// headers, more query tests, name.
  struct RegexEntry {
    Entry entry;
    int priority = 0;
    std::shared_ptr<const PathRegex> regex;  // the same at each host of its rule
  };
  /// The regexes of a tree: `regexes_[first, last)`.
  struct RegexList {
    Index tree = 0;
    Index first = 0;
    Index last = 0;
  };

  /// Where a route stands among all of a tree, wherever it is there: by kinds of segments, then by the rest.
  struct Standing {
    Index shape = 0;
    Index order = 0;
  };

  struct Walk {
    const RouteQuery& request;
    Params& params;
    MethodSet& allowed;
    Found found;
    bool keeps_slashes = false;  // which routes take part, if only some do
  };

  /// Exact host first, then wildcards, longer before shorter.
  bool find_in_hosts(Walk& walk, std::string_view host) const {
    if (host.empty()) return false;
    if (find_in(walk, literal(exact_hosts, host))) return true;
    for (std::size_t dot = host.find('.', 1); dot != std::string_view::npos; dot = host.find('.', dot + 1))
      if (find_in(walk, literal(wildcard_hosts, host.substr(dot + 1)))) return true;
    return false;
  }

  /// Walks one tree and then its regexes, if there are any.
  bool find_in(Walk& walk, Index tree) const {
    if (tree == 0) return false;
    const bool is_split = keeps_slashes_ && !walk.request.unmerged_path.empty();
    if (is_split) [[unlikely]] {
      if (descend_both(walk, tree)) return true;
    } else if (descend<false>(walk, tree, 0)) {
      return true;
    }
    walk.params.shrink(0);
    return !regex_lists_.empty() && find_regex(walk, tree);
  }

  /// Walks a tree with both spellings of the path, each for the routes that look at it, and takes the
  /// one that stands before the other.
  [[gnu::noinline]] bool descend_both(Walk& walk, Index tree) const {
    Params params;
    RouteQuery request = walk.request;
    request.path = request.unmerged_path;
    Walk unmerged{request, params, walk.allowed, {}, true};
    const bool is_found = descend<true>(walk, tree, 0);
    if (!descend<true>(unmerged, tree, 0)) return is_found;
    const auto rank = [this](const Found& found) {
      return std::tuple(standings_[found.route].shape, found.claim, standings_[found.route].order);
    };
    if (is_found && rank(walk.found) < rank(unmerged.found)) return true;
    walk.found = unmerged.found;
    walk.params = params;
    return true;
  }

  /// Tries what is below a node in the order of precedence, so the first match is the right one.
  /// `at` is where the rest of the path begins: at a "/", or at the end. A node is reached by one way
  /// only, so a walk visits none twice, however the path was made. Without a match `params` may be
  /// left longer. `some`: only routes of one kind of `keeps_slashes` take part.
  template <bool some>
  bool descend(Walk& walk, Index index, std::size_t at) const {
    const std::string_view path = walk.request.path;
    while (true) {
      const Node& node = nodes_[index];
      if (node.has_tail) return follow_tail<some>(walk, node, at);
      if (at == path.size()) return choose_at_end<some>(walk, node, at);
      std::size_t end = at + 1;
      while (end < path.size() && path[end] != '/') ++end;
      const std::string_view segment(path.data() + at + 1, end - at - 1);
      const Index child = node.has_literals ? literal(index, segment) : 0;
      const Index parameter = segment.empty() ? 0 : node.next;

      // The last thing to try needs no way back.
      if (child && !parameter && !node.has_prefixes) {
        index = child;
      } else if (parameter && !child && !node.has_prefixes) {
        walk.params.push(segment);
        index = parameter;
      } else {
        const std::size_t kept = walk.params.size();
        if (child && descend<some>(walk, child, end)) return true;
        walk.params.shrink(kept);
        if (parameter) {
          walk.params.push(segment);
          if (descend<some>(walk, parameter, end)) return true;
          walk.params.shrink(kept);
        }
        return node.has_prefixes && choose<some>(walk, node, true, at);
      }
      at = end;
    }
  }

  /// Walks what is behind a node with a tail, as `descend` would walk nodes. Out of line, so that `descend` saves fewer registers.
  template <bool some>
  [[gnu::noinline]] bool follow_tail(Walk& walk, const Node& node, std::size_t at) const {
    const std::string_view path = walk.request.path;
    const std::string_view tail(text_.data() + tails_[node.next].text, tails_[node.next].size);
    for (std::size_t i = 0; i < tail.size();) {
      if (at == path.size()) return false;
      ++at;  // the slash
      if (tail[i++] == parameter_mark) {
        const std::size_t begin = at;
        while (at < path.size() && path[at] != '/') ++at;
        if (at == begin) return false;
        walk.params.push(std::string_view(path.data() + begin, at - begin));
        continue;
      }
      for (; i < tail.size() && tail[i] > parameter_mark; ++i, ++at)
        if (at == path.size() || path[at] != tail[i]) return false;
      if (at != path.size() && path[at] != '/') return false;
    }
    if (at == path.size()) return choose_at_end<some>(walk, node, at);
    return node.has_prefixes && choose<some>(walk, node, true, at);
  }

  /// Takes a route of a node where the path ends.
  template <bool some>
  bool choose_at_end(Walk& walk, const Node& node, std::size_t prefix_length) const {
    if (node.has_exact && choose<some>(walk, node, false, prefix_length)) return true;
    return node.has_prefixes && choose<some>(walk, node, true, prefix_length);
  }

  /// Takes the first path, or the first prefix, of a node that the request passes; there are some.
  template <bool some>
  bool choose(Walk& walk, const Node& node, bool is_prefix, std::size_t prefix_length) const {
    const Method method = walk.request.method;
    Index route = 0;
    const Terms* chosen = nullptr;
    for (const Entry* e = entries_.data() + node.first; e; e = e->is_last ? nullptr : e + 1) {
      if (e->is_prefix != is_prefix) continue;
      const Terms& terms = terms_[e->terms];
      if constexpr (some)
        if (terms.keeps_slashes != walk.keeps_slashes) continue;
      if (terms.tests != 0 && !passes(walk.request, tests_[terms.tests])) continue;
      const bool names_method = terms.methods.contains(method);
      const bool takes_method = names_method || terms.methods.empty() || (method == Method::head && terms.methods.contains(Method::get));
      if (!takes_method) {
        walk.allowed = walk.allowed | terms.methods;
        continue;
      }
      if (!chosen || names_method) {
        chosen = &terms;
        route = e->route;
      }
      // HEAD goes on from a route for GET: one that lists HEAD itself may follow.
      if (names_method || method != Method::head) break;
    }
    if (!chosen) return false;
    walk.found = {route, prefix_length, true, some && chosen->keeps_slashes, some ? claim_of(*chosen, method) : 0};
    walk.params.borrow_names(parameters_[chosen->parameters]);
    return true;
  }

  /// How a route takes a method: 0 lists it, 1 lists GET, which answers HEAD, 2 takes any, 3 not at all.
  static int claim_of(const Terms& terms, Method method) noexcept {
    if (terms.methods.contains(method)) return 0;
    if (terms.methods.empty()) return 2;
    return method == Method::head && terms.methods.contains(Method::get) ? 1 : 3;
  }

  /// Tries the regexes of a tree in the order of precedence.
  [[gnu::noinline]] bool find_regex(Walk& walk, Index tree) const {
    const auto is_before = [](const RegexList& list, Index wanted) { return list.tree < wanted; };
    const auto list = std::lower_bound(regex_lists_.begin(), regex_lists_.end(), tree, is_before);
    if (list == regex_lists_.end() || list->tree != tree) return false;
    const Method method = walk.request.method;
    const RegexEntry* chosen = nullptr;
    for (const RegexEntry* e = regexes_.data() + list->first; e != regexes_.data() + list->last; ++e) {
      if (chosen && e->priority < chosen->priority) break;
      const Terms& terms = terms_[e->entry.terms];
      const int claim = claim_of(terms, method);
      // HEAD goes on from a route for GET: one that lists HEAD itself may follow.
      if (chosen && claim > 0) continue;
      if (terms.tests != 0 && !passes(walk.request, tests_[terms.tests])) continue;
      const bool is_unmerged = terms.keeps_slashes && !walk.request.unmerged_path.empty();
      const std::string_view path = is_unmerged ? walk.request.unmerged_path : walk.request.path;
      Params params;
      if (!e->regex->take(path, params)) continue;
      if (claim == 3) {
        walk.allowed = walk.allowed | terms.methods;
        continue;
      }
      chosen = e;
      walk.found = {e->entry.route, path.size(), true, is_unmerged, 0};
      walk.params = params;
      walk.params.borrow_names(parameters_[terms.parameters]);
      if (claim == 0 || method != Method::head) break;
    }
    return chosen != nullptr;
  }

  static bool passes(const RouteQuery& request, const Tests& tests) noexcept {
    for (const FieldTest& test : tests.headers)
      if (!has_header(request.headers, test)) return false;
    for (const FieldTest& test : tests.query)
      if (!has_query(request.query, test)) return false;
    return true;
  }

  /// The child of `parent` behind the literal `segment`, or 0.
  Index literal(Index parent, std::string_view segment) const noexcept {
    const std::uint64_t key = segment_key(segment);
    for (std::size_t slot = hash(parent, key, segment.size()) & (slots_.size() - 1);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot] == 0) return 0;
      const Node& node = nodes_[slots_[slot]];
      if (node.key == key && node.parent == parent && node.size == segment.size() &&
          (node.size <= 8 || std::memcmp(text_.data() + node.text, segment.data(), segment.size()) == 0))
        return slots_[slot];
    }
  }

  static std::size_t hash(Index parent, std::uint64_t key, std::size_t size) noexcept {
    std::uint64_t x = key ^ ((std::uint64_t{parent} << 8) + size) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return static_cast<std::size_t>(x ^ x >> 32);
  }

  std::vector<Node> nodes_ = std::vector<Node>(3);
  std::vector<Entry> entries_;
  std::vector<RegexEntry> regexes_;
  std::vector<RegexList> regex_lists_;  // by tree, of those trees that have regexes
  std::vector<std::vector<std::string>> parameters_;  // their names; each list once, whichever rules have it
  std::vector<Tests> tests_;                          // the same
  std::vector<Terms> terms_;                          // the same
  std::vector<Tail> tails_;                           // the same
  std::vector<Standing> standings_;     // by rule, if `keeps_slashes_`
  bool keeps_slashes_ = false;
  std::vector<Index> slots_;  // hash table of literal children; a power of two, at most half full
  std::string text_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
