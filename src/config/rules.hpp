/// \file
/// Level 5: what single values of a configuration must look like, whether a file or code gave them.
#pragma once

#include <gw/config.hpp>
#include <gw/limits.hpp>
#include <gw/upstream.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
inline constexpr Bounds upstream_requests{0, 1'000'000};
inline constexpr Bounds queue{0, 1'000'000};
inline constexpr Bounds percent{0, 100};
inline constexpr Bounds breaker_rate{1, 100};  // 0 would open it while nothing fails
inline constexpr Bounds rate_requests{1, 1'000'000};
inline constexpr Bounds failures{0, 1'000'000};
inline constexpr Bounds answers_in_a_row{1, 1000};
inline constexpr Bounds retries{0, 10};
inline constexpr Bounds retry_status{400, 599};
inline constexpr Bounds retry_body{0, 16 * 1024 * 1024};
inline constexpr Bounds retry_floor{0, 1'000'000};
inline constexpr Bounds rate{1, 1'000'000'000};
inline constexpr Bounds rate_keys{1, 10'000'000};
}  // namespace bounds

/// The words for `Balance`, in its order.
inline constexpr std::array<std::string_view, 5> balance_names{"p2c", "round_robin", "least_requests", "random", "maglev"};
/// The words for those `HashKey::Kind` that have no name, in their order.
inline constexpr std::array<std::string_view, 2> hash_names{"client_address", "path"};

/// A duration as people write it: "10s", "250ms".
std::string duration_text(Duration duration);

/// A number of bytes as people write it: "16KiB" for 16384.
std::string size_text(std::uint64_t bytes);

/// "... is not built yet in gw 0.1".
std::string not_built_yet(std::string_view what);

/// That the route at `path` has the name `name` already.
std::string taken_name(std::string_view name, std::string_view path);

// What is said of a key whose value does nothing as things stand.
inline constexpr const char* stray_hash = "hash is only for balance: maglev";
inline constexpr const char* stray_queue = "queue is only for an upstream with requests";
inline constexpr const char* stray_forward_hash = "hash is only for a split; an upstream has its own, with balance: maglev";
inline constexpr const char* stray_chosen_by = "chosen_by is only for a split";

// Each of the following says what is wrong with a value; empty: nothing.

/// The name of an upstream or route: it appears in logs and metrics.
std::string name_mistake(std::string_view name);
/// The address of an endpoint.
std::string endpoint_mistake(std::string_view address);
std::string name_server_mistake(std::string_view address);
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
/// The name of a cookie.
std::string cookie_mistake(std::string_view name);
/// What signs cookies. Does not repeat it.
std::string secret_mistake(std::string_view secret);
/// How long clients keep a cookie.
std::string max_age_mistake(Duration max_age);
/// What is asked for in a health check.
std::string check_path_mistake(std::string_view path);
/// Options of a health check that do not fit together.
std::string check_mistake(const CheckOptions& check);
/// Options of ejection that do not fit together.
std::string eject_mistake(const EjectOptions& eject);
/// What is hashed.
std::string hash_mistake(const HashKey& key);
/// What may name a part of a split.
std::string chosen_by_mistake(const HashKey& key);
/// How many parts a split has, and their weights together.
std::string split_mistake(const std::vector<SplitPart>& split);
/// Limits that do not fit together.
std::string limits_mistake(const Limits& limits);

}  // namespace config
}  // namespace v0
}  // namespace gw
