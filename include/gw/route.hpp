/// \file
/// Level 2: what a request must look like to take a route, and what is looked at. Std only.
#pragma once

#include <gw/http.hpp>
#include <gw/params.hpp>

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {

/// A test that a field (header or query parameter) of the request has `value`; "*": any value. If
/// the request repeats the field, one of them has to pass. Names of headers compare without case,
/// all else exactly; names and values of the query are percent-decoded first.
struct FieldTest {
  std::string name{};
  std::string value{};

  /// By name, then value.
  friend auto operator<=>(const FieldTest&, const FieldTest&) = default;
};

/// What a request must look like to take a route. docs/routing.md says which route wins if several
/// would take it.
struct RouteRule {
  enum class Kind {
    path,    ///< the whole path: "/users/{id}"
    prefix,  ///< whole segments from the left: "/foo" takes "/foo", "/foo/" and "/foo/x", not "/foobar"
    regex,   ///< the whole path, by a regular expression: "/v[0-9]+/(?P<rest>.*)"
  };

  std::string name{};                ///< used in logs, conflicts and metrics; empty: the pattern, see `RouterBuilder::build`
  Kind kind = Kind::prefix;
  std::string pattern = "/";         ///< starts with "/"; a segment "{name}" takes any that is not empty. Or a regular expression
  std::vector<std::string> hosts{};  ///< "api.example.com" or "*.example.com" (any depth); empty: any
  MethodSet methods{};               ///< empty: any; GET also answers HEAD
  std::vector<FieldTest> headers{};  ///< all must hold
  std::vector<FieldTest> query{};    ///< all must hold
  int priority = 0;                  ///< of a regex among those of its host: the highest is asked first
  bool keep_slashes = false;         ///< looks at the path with its "//", see `RouteQuery::unmerged_path`

  friend bool operator==(const RouteRule&, const RouteRule&) = default;
  /// Some order, for maps; it is not that of precedence.
  friend auto operator<=>(const RouteRule&, const RouteRule&) = default;
};

/// A regular expression for paths, compiled by a `RegexCompiler`. A value; copies share what was compiled.
struct PathRegex {
  /// Whether it takes the whole of `path`. If so, adds one value for each of `names` to `params`, views
  /// into `path`; else adds none. Called by every thread at once; must not throw.
  std::function<bool(std::string_view path, Params& params)> take{};
  std::vector<std::string> names{};  ///< of its named groups, from left to right
  std::string mistake{};             ///< what is wrong with it, in words that follow its text; empty: nothing
  /// What every path that it takes begins with, as far as that is known. Finds routes that never win.
  std::string literal_prefix{};
  bool takes_every_path = false;     ///< known to take every path
};

/// Compiles the pattern of a rule of the kind `regex`. In gw::gw: `compile_regex` of gw/regex.hpp.
using RegexCompiler = std::function<PathRegex(const std::string& pattern)>;

/// What the router looks at in a request. Only the two paths must outlive the call: parameters are views
/// into that which was matched.
struct RouteQuery {
  Method method = Method::get;
  std::string_view host{};           ///< of the authority: case, a port and a dot at the end do not count
  std::string_view path{};           ///< from `normalize_path`
  std::string_view query{};          ///< raw, without "?"
  const Headers* headers = nullptr;  ///< null: no fields
  /// The path from `normalize_path` with `keep_slashes`, where that is another: rules with `keep_slashes`
  /// look at this one, all others at `path`. Empty: there is only one.
  std::string_view unmerged_path{};
};

}  // namespace v0
}  // namespace gw
