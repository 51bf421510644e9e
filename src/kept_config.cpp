#include "kept_config.hpp"

#include "config/text.hpp"

#include <string>
#include <tuple>
#include <unordered_map>

namespace gw {
inline namespace v0 {

namespace {

// Where a route forwards to, with its place; null if it does something else.
ForwardConfig* forward_of(RouteConfig& route) { return std::get_if<ForwardConfig>(&route.action); }

// Takes from a place what differs from route to route: its position, and the path, if that is `path`. Whether it is.
bool take(Place& place, const std::string& path, std::pair<int, int>& position) {
  position = {std::exchange(place.line, 0), std::exchange(place.column, 0)};
  const bool has_path = place.path == path;
  if (has_path) place.path.clear();
  return has_path;
}

void give_back(Place& place, const std::string& path, bool has_path, std::pair<int, int> position) {
  std::tie(place.line, place.column) = position;
  if (has_path) place.path = path;
}

}  // namespace

PackedRoutes::PackedRoutes(std::vector<RouteConfig> routes, std::shared_ptr<const proxy::Snapshot> snapshot) : snapshot_(std::move(snapshot)) {
  GW_ASSERT(routes.size() == snapshot_->router.size());
  // By target, because routes to several may take turns.
  std::unordered_map<std::string, std::uint32_t> last;
  routes_.reserve(routes.size());
  for (std::size_t i = 0; i < routes.size(); ++i) {
    RouteConfig& route = routes[i];
    const std::string path = config::path_of("routes", i);
    Own& own = routes_.emplace_back();
    own.is_named = !route.rule.name.empty();
    own.has_path = take(route.place, path, own.position);
    ForwardConfig* const forward = forward_of(route);
    if (forward) own.has_forward_path = take(forward->place, path + ".forward", own.forward_position);
    route.rule = RouteRule();
    const auto [known, is_first] = last.try_emplace(forward ? forward->to : std::string(), 0);
    if (is_first || rests_[known->second] != route) {
      known->second = static_cast<std::uint32_t>(rests_.size());
      GW_ASSERT(known->second < 1u << 29);  // what `Own::rest` holds
      rests_.push_back(std::move(route));
    }
    own.rest = known->second;
  }
  rests_.shrink_to_fit();
}

std::vector<RouteConfig> PackedRoutes::unpack() const {
  std::vector<RouteConfig> routes;
  routes.reserve(routes_.size());
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const Own& own = routes_[i];
    const std::string path = config::path_of("routes", i);
    RouteConfig& route = routes.emplace_back(rests_[own.rest]);
    route.rule = snapshot_->router.rule(i);
    if (!own.is_named) route.rule.name.clear();
    give_back(route.place, path, own.has_path, own.position);
    if (ForwardConfig* const forward = forward_of(route)) give_back(forward->place, path + ".forward", own.has_forward_path, own.forward_position);
  }
  return routes;
}

Config& KeptConfig::open() {
  if (const auto packed = std::exchange(packed_, nullptr)) config_.routes = packed->unpack();
  return config_;
}

Config KeptConfig::copy() const {
  Config whole = config_;
  if (packed_) whole.routes = packed_->unpack();
  return whole;
}

Config& KeptConfig::lend() {
  is_lent_ = true;
  return open();
}

void KeptConfig::set(Config config) {
  packed_.reset();
  config_ = std::move(config);
}

bool KeptConfig::pack(std::shared_ptr<const proxy::Snapshot> snapshot) {
  if (is_lent_ || packed_) return false;
  packed_ = std::make_unique<const PackedRoutes>(std::exchange(config_.routes, {}), std::move(snapshot));
  return true;
}

}  // namespace v0
}  // namespace gw
