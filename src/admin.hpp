/// \file
/// Level 5: the admin listener: a gateway that tells about another one.
#pragma once

#include <gw/gateway.hpp>

#include "proxy/metrics.hpp"
#include "proxy/snapshot.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace gw {
inline namespace v0 {

/// Serves `/metrics`, `/health`, `/routes` and `/config` of a gateway. It is a small gateway of its own with
/// one worker: it answers while the other's workers are busy or drain, and what it serves does not
/// run the other's stages nor count among its requests.
///
/// One thread calls the functions; its worker calls the handlers.
class Admin {
 public:
  /// `metrics` must outlive it. Errors and warnings go to `log`.
  Admin(const proxy::Metrics& metrics, LogSink log);

  /// What the handlers tell from now on.
  void publish(const Config& config, const proxy::Snapshot& snapshot);
  /// Listens on this address instead of the one before. Throws `ConfigError`, and then nothing has changed.
  void listen(const AdminConfig& config);
  /// `/health` says from now on that the gateway ends.
  void begin_drain() noexcept { is_draining_ = true; }
  /// The port that it listens on; 0 before `listen`.
  std::uint16_t port() const { return server_ ? server_->port() : std::uint16_t{0}; }

 private:
  struct Told {
    std::string routes;
    std::string config;
  };
  std::shared_ptr<const Told> told() const;

  const proxy::Metrics& metrics_;
  LogSink log_;
  std::atomic<bool> is_draining_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<const Told> told_ = std::make_shared<const Told>();
  std::string address_;           // as configured
  Gateway gateway_;
  std::optional<Server> server_;  // ends before the gateway
};

}  // namespace v0
}  // namespace gw
