/// \file
/// Level 5: what single values of a configuration must look like, whether a file or code gave them.
#pragma once

#include <gw/limits.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace config {

/// The lowest and highest value of a number.
struct Bounds {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  constexpr bool contain(std::uint64_t n) const noexcept { return low <= n && n <= high; }
};

/// The numbers of a configuration. The upper bounds are far above any use: they catch a slip of
/// the unit, and keep sums of them inside 64 bits.
namespace bounds {
inline constexpr Bounds workers{0, 1024};
inline constexpr Bounds wrong_method{404, 405};
inline constexpr Bounds head{1024, 1024 * 1024};
inline constexpr Bounds fields{1, 10'000};
inline constexpr Bounds target{1, 1024 * 1024};
inline constexpr Bounds body{0, std::uint64_t{1} << 60};
inline constexpr Bounds trailers{2, 1024 * 1024};  // the empty line counts
inline constexpr Bounds chunk_extensions{0, 1024 * 1024};
inline constexpr Bounds connections{1, 10'000'000};
inline constexpr Bounds connections_per_client{0, 10'000'000};
inline constexpr Bounds requests_per_connection{0, 1'000'000'000};
inline constexpr Bounds byte_rate{0, 1024 * 1024 * 1024};
inline constexpr Bounds status{200, 599};
inline constexpr Bounds weight{0, 65'535};
inline constexpr Bounds upstream_connections{1, 1'000'000};
inline constexpr Bounds idle_connections{0, 1'000'000};
inline constexpr Bounds rate{1, 1'000'000'000};
inline constexpr Bounds rate_keys{1, 10'000'000};
}  // namespace bounds

/// A number of bytes as people write it: "16KiB" for 16384.
std::string size_text(std::uint64_t bytes);

/// "... is not built yet in gw 0.1".
std::string not_built_yet(std::string_view what);

/// That the route at `path` has the name `name` already.
std::string taken_name(std::string_view name, std::string_view path);

// Each of the following says what is wrong with a value; empty: nothing.

/// The name of an upstream or route: it appears in logs and metrics.
std::string name_mistake(std::string_view name);
/// The address of an endpoint.
std::string endpoint_mistake(std::string_view address);
/// The address of a listener.
std::string listen_mistake(std::string_view address);
/// "forward, redirect, reply or handler".
std::string route_actions();
/// Where a route forwards to; whether an upstream has that name is not looked at.
std::string forward_mistake(std::string_view to);
/// What is put before the paths of an upstream.
std::string base_path_mistake(std::string_view path);
/// A protocol that connections may be switched to.
std::string protocol_mistake(std::string_view protocol);
/// Limits that do not fit together.
std::string limits_mistake(const Limits& limits);

}  // namespace config
}  // namespace v0
}  // namespace gw
