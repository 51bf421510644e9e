/// \file
/// Level 2: what a request must look like to take a route, and what is looked at. Std only.
#pragma once

#include <gw/http.hpp>

#include <compare>
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
  };

  std::string name{};                ///< used in logs, conflicts and metrics; empty: the pattern, see `RouterBuilder::build`
  Kind kind = Kind::prefix;
  std::string pattern = "/";         ///< starts with "/"; a segment "{name}" takes any that is not empty
  std::vector<std::string> hosts{};  ///< "api.example.com" or "*.example.com" (any depth); empty: any
  MethodSet methods{};               ///< empty: any; GET also answers HEAD
  std::vector<FieldTest> headers{};  ///< all must hold
  std::vector<FieldTest> query{};    ///< all must hold
};

/// What the router looks at in a request. Only `path` must outlive the call: parameters are views into it.
struct RouteQuery {
  Method method = Method::get;
  std::string_view host{};           ///< of the authority: case, a port and a dot at the end do not count
  std::string_view path{};           ///< from `normalize_path`
  std::string_view query{};          ///< raw, without "?"
  const Headers* headers = nullptr;  ///< null: no fields
};

}  // namespace v0
}  // namespace gw
