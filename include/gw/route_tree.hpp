/// \file
/// Level 2: the routes of a router as a tree that people can read. Std only.
#pragma once

#include <gw/detail/route_order.hpp>
#include <gw/router.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// Routes by host and by segments of their paths. Read from top to bottom: of two routes that take a
/// request, the upper one wins. Only between branches that cannot take the same path is the order that
/// of the alphabet. Numbers of routes are indexes of `rules`. A value; it refers to nothing.
struct RouteTree {
  /// A place in the paths: after the segments that lead to it. Its parts are listed as they win.
  struct Node {
    std::string segment{};               ///< "users" or "{id}"; of a root empty
    std::vector<std::size_t> exact{};    ///< paths that end here
    std::vector<Node> children{};        ///< literals by the alphabet, then the parameter
    std::vector<std::size_t> prefix{};   ///< prefixes that end here
  };
  /// The routes of one host.
  struct Host {
    std::string name{};                  ///< "api.example.com", "*.example.com"; empty: any
    Node root{};
    std::vector<std::size_t> regexes{};  ///< asked if nothing in the tree takes the request
  };

  std::vector<RouteRule> rules{};  ///< each with a name, in the order of `RouterBuilder::add`
  std::vector<Host> hosts{};       ///< exact ones, wildcards from the longest to the shortest, any
};

namespace detail {

/// Makes the tree of rules that were read.
class RouteTreeMaker {
 public:
  /// `details` must outlive it.
  RouteTreeMaker(std::vector<RouteRule> rules, const std::vector<RouteDetails>& details)
      : tree_{std::move(rules), {}}, details_(details), order_(tree_.rules, details) {}
  RouteTreeMaker(const RouteTreeMaker&) = delete;

  RouteTree make() {
    for (std::size_t i = 0; i < tree_.rules.size(); ++i) order_.add(i);
    order_.sort();
    for (std::size_t first = 0, last; first < order_.size(); first = last) {
      last = order_.end_of_host(first);
      RouteTree::Host host{std::string(order_[first].host()), {}, {}};
      for (std::size_t i = first; i < last; ++i) add(host, order_[i].rule);
      tree_.hosts.push_back(std::move(host));
    }
    const auto rank = [](const RouteTree::Host& host) {
      const bool is_wildcard = host.name.starts_with('*');
      return std::tuple(host.name.empty(), is_wildcard, is_wildcard ? ~host.name.size() : 0, std::string_view(host.name));
    };
    std::sort(tree_.hosts.begin(), tree_.hosts.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    return std::move(tree_);
  }

 private:
  void add(RouteTree::Host& host, std::size_t rule) {
    if (tree_.rules[rule].kind == RouteRule::Kind::regex) {
      host.regexes.push_back(rule);
      return;
    }
    RouteTree::Node* node = &host.root;
    std::size_t parameter = 0;
    const std::string_view key = details_[rule].key;
    for (std::size_t at = 0, end; at < key.size(); at = end) {
      end = std::min(key.find_first_of("\1\2", at + 1), key.size());
      const std::string segment =
          key[at] == parameter_mark ? '{' + details_[rule].parameters[parameter++] + '}' : std::string(key.substr(at + 1, end - at - 1));
      // Rules come in the order of their keys, so only the last child can be the same; parameters may have several names.
      const bool is_new = node->children.empty() || (key[at] == parameter_mark ? !node->children.back().segment.starts_with('{')
                                                                                : node->children.back().segment != segment);
      if (is_new) node->children.push_back({segment, {}, {}, {}});
      node = &node->children.back();
    }
    (tree_.rules[rule].kind == RouteRule::Kind::path ? node->exact : node->prefix).push_back(rule);
  }

  RouteTree tree_;
  const std::vector<RouteDetails>& details_;
  RouteOrder order_;
};

/// Draws a tree of routes.
class RouteTreeText {
 public:
  explicit RouteTreeText(const RouteTree& tree) : tree_(tree) {}

  std::string draw() {
    for (const RouteTree::Host& host : tree_.hosts) {
      (text_ += host.name.empty() ? "any host" : host.name) += '\n';
      draw_parts(host.root, host.regexes, "");
    }
    return std::move(text_);
  }

 private:
  /// Draws what is below a node: what is last has a corner before it.
  void draw_parts(const RouteTree::Node& node, const std::vector<std::size_t>& regexes, const std::string& indent) {
    std::size_t left = node.exact.size() + node.children.size() + node.prefix.size() + regexes.size();
    const auto branch = [&](std::string_view line) { ((text_ += indent) += --left > 0 ? "├─ " : "└─ ").append(line) += '\n'; };
    for (std::size_t rule : node.exact) branch("=  " + describe(rule));
    for (const RouteTree::Node& child : node.children) {
      // A place without routes and with one way on is no line of its own.
      std::string path = '/' + child.segment;
      const RouteTree::Node* end = &child;
      while (end->exact.empty() && end->prefix.empty() && end->children.size() == 1) {
        end = &end->children.front();
        (path += '/') += end->segment;
      }
      branch(path);
      draw_parts(*end, {}, indent + (left > 0 ? "│  " : "   "));
    }
    for (std::size_t rule : node.prefix) branch("/* " + describe(rule));
    for (std::size_t rule : regexes) branch("~  " + tree_.rules[rule].pattern + "  " + describe(rule));
  }

  /// Everything of a rule but host and path: `GET  x-version: 2  -> "user"`.
  std::string describe(std::size_t index) const {
    const RouteRule& rule = tree_.rules[index];
    std::string text = rule.methods.empty() ? "any method" : method_list(rule.methods);
    for (const FieldTest& test : canonical(rule.headers, true)) text += "  " + test.name + ": " + test.value;
    for (const FieldTest& test : canonical(rule.query, false)) text += "  ?" + test.name + '=' + test.value;
    if (rule.kind == RouteRule::Kind::regex) text += "  priority " + std::to_string(rule.priority);
    if (rule.keep_slashes) text += "  keeps //";
    return text + "  -> \"" + rule.name + '"';
  }

  const RouteTree& tree_;
  std::string text_;
};

}  // namespace detail

/// The routes of `router` as a tree. Takes time and memory like `RouterBuilder::build`; any thread.
template <class T>
RouteTree route_tree(const Router<T>& router) {
  std::vector<RouteRule> rules = router.rules();
  const std::vector<detail::RouteDetails> details = router.details(rules);
  return detail::RouteTreeMaker(std::move(rules), details).make();
}

/// The tree as lines of text, in UTF-8; empty without routes. "=" is a path that ends there, "/*" a
/// prefix, "~" a regular expression:
///
///     any host
///     ├─ /users
///     │  ├─ =  GET  -> "list"
///     │  └─ /{id}
///     │     └─ =  GET,PUT  -> "user"
///     └─ /* any method  -> "rest"
inline std::string to_text(const RouteTree& tree) { return detail::RouteTreeText(tree).draw(); }

}  // namespace v0
}  // namespace gw
