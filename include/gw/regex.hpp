/// \file
/// Level 2: regular expressions for routes. In gw::gw, not in gw::core: RE2 compiles and matches them.
#pragma once

#include <gw/route.hpp>
#include <gw/version.hpp>

#include <string>

namespace gw {
inline namespace v0 {

/// Whether this gw was built with RE2. Without it `compile_regex` finds every pattern wrong.
GW_EXPORT bool has_regex() noexcept;

/// Compiles the pattern of a regex route, in RE2's syntax: no look-around, no back-references, and
/// matching takes time in proportion to the path. A pattern that would need more than 1 MiB is a
/// mistake. Named groups become parameters. What it returns may be used by every thread. One thread.
///
///     gw::RouterBuilder<int> builder(gw::compile_regex);
///     builder.add({.kind = gw::RouteRule::Kind::regex, .pattern = "/v[0-9]+/.*"}, 1);
GW_EXPORT PathRegex compile_regex(const std::string& pattern);

}  // namespace v0
}  // namespace gw
