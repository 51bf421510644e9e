#include "admin.hpp"

#include "config/describe.hpp"
#include "proxy/metrics_text.hpp"

#include <gw/detail/address.hpp>
#include <gw/metrics.hpp>

#include <asio/ip/address.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

namespace {

// Who scrapes and looks needs few connections; nobody should hold many.
constexpr std::size_t most_connections = 100;
// When the gateway has drained, only answers under way are waited for.
constexpr auto last_answers = std::chrono::seconds(1);

bool is_loopback(const std::string& address) {
  const auto parsed = detail::parse_listen(address);
  return parsed && asio::ip::make_address(parsed->host).is_loopback();
}

}  // namespace

Admin::Admin(const proxy::Metrics& metrics, LogSink log) : metrics_(metrics), log_(std::move(log)) {
  Config& config = gateway_.config();
  config.workers = 1;
  config.timeouts.drain = last_answers;
  config.limits.connections = most_connections;
  config.limits.body = 0;
  // What it does all the time is nobody's news.
  gateway_.log_to([this](LogLevel level, std::string_view line) {
    if (level != LogLevel::info) log_(level, "admin: " + std::string(line));
  });
  gateway_.get("/metrics", [this](Context& c) {
    using Format = proxy::Exposition::Format;
    const bool is_openmetrics = detail::wants_openmetrics(c.req.headers);
    return detail::metrics_response(metrics_text(metrics_, is_openmetrics ? Format::openmetrics : Format::prometheus), is_openmetrics);
  });
  gateway_.get("/health", [this](Context&) {
    const bool ends = is_draining_;
    return Response(ends ? 503 : 200, Json(ends ? "{\"status\":\"draining\"}" : "{\"status\":\"ok\"}"));
  });
  gateway_.get("/routes", [this](Context&) { return Json(told()->routes); });
  gateway_.get("/config", [this](Context&) { return Json(told()->config); });
}

std::shared_ptr<const Admin::Told> Admin::told() const {
  const std::lock_guard lock(mutex_);
  return told_;
}

void Admin::publish(const Config& config, const proxy::Snapshot& snapshot) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < snapshot.router.size(); ++i) names.emplace_back(snapshot.router.name(i));
  auto told = std::make_shared<const Told>(Told{config::routes_json(config, names), config::config_json(config)});
  const std::lock_guard lock(mutex_);
  told_ = std::move(told);
}

void Admin::listen(const AdminConfig& admin) {
  if (server_ && admin.address == address_) return;
  Config next = gateway_.config();
  next.listen = {{admin.address, admin.place}};
  if (next.listen[0].place.path.empty()) next.listen[0].place.path = "admin.listen";
  if (server_) {
    gateway_.apply(std::move(next));
  } else {
    gateway_.config() = std::move(next);
    server_.emplace(gateway_.start());
  }
  address_ = admin.address;
  log_(LogLevel::info, "admin listener on " + server_->address());
  if (!is_loopback(address_)) log_(LogLevel::warning, "whoever reaches the admin listener can read routes, configuration and metrics: " + address_);
}

}  // namespace v0
}  // namespace gw
