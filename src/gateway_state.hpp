/// \file
/// Level 5: what is behind `Gateway`: configuration, workers, listeners, and how they change together.
#pragma once

#include <gw/gateway.hpp>

#include "admin.hpp"
#include "compile.hpp"
#include "file_settings.hpp"
#include "kept_config.hpp"
#include "net/listener.hpp"
#include "proxy/checks.hpp"
#include "proxy/listener_state.hpp"
#include "worker_thread.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {

/// "127.0.0.1:8000", "[::1]:8000".
std::string to_text(const asio::ip::tcp::endpoint& address);
/// The networks of a listener that was checked; null for none.
std::shared_ptr<const Networks> networks_of(const std::vector<std::string>& texts);

struct Gateway::State {
  State();
  ~State();

  // Building.
  std::string file;                 ///< of `from_file`; empty without
  KeptConfig config;                ///< file and code together
  FileSettings file_settings;       ///< as last read
  Definitions definitions;
  proxy::Shared shared;

  Config read_file() const;
  Problems check();
  RouteTree routes();
  void start();
  /// Starts unless the gateway runs already; `stopped` is called when somebody has stopped it.
  void serve(std::function<void()> stopped);
  void stop();
  void abort();
  void apply(Config next);
  void reload();
  void reload_and_log();
  Response dispatch(Request request);
  Explanation explain(const Request& request, std::string_view peer);
  void post(unsigned worker, std::function<void()> f);
  void set_endpoint(const std::string& upstream, EndpointOptions endpoint);
  void remove_endpoint(const std::string& upstream, const std::string& address);
  std::vector<EndpointOptions> endpoints(const std::string& upstream) const;
  asio::ip::tcp::endpoint first_address() const;
  std::uint16_t admin_port() const;

 private:
  using Address = asio::ip::tcp::endpoint;
  /// One configured address: a socket per worker, and what connections need to know of it.
  struct Listening {
    Address configured;
    Address bound;
    std::vector<std::string> trusted;
    std::vector<std::shared_ptr<net::Listener>> sockets;
    std::vector<std::shared_ptr<proxy::ListenerState>> states;
  };

  std::shared_ptr<const proxy::Snapshot> compile_or_throw(const Config& c);
  std::vector<Listening> open_listeners(const Config& next, Problems& problems);
  void use_listeners(const Config& next, std::vector<Listening> opened);
  void start_locked();
  template <class F>
  void change(F&& f);
  void apply_locked(Config next);
  void reload_locked();
  template <class F>
  void edit_endpoints(const std::string& upstream, const std::string& address, F&& edit);
  void end_workers(Duration limit);
  void listen_for_admin(const Config& next, const proxy::Snapshot& compiled, Problems& problems);
  void publish(std::shared_ptr<const proxy::Snapshot> snapshot);
  void check_endpoints(std::shared_ptr<const proxy::Snapshot> snapshot);
  void stop_checks();
  void trust(Listening& listening, std::vector<std::string> trusted);
  bool is_on_worker();
  void wait_for_workers();
  void close(Listening& listening);

  // Changing: one at a time.
  mutable std::mutex change_;
  bool is_running_ = false;
  std::function<void()> on_stopped_;
  std::shared_ptr<const proxy::Snapshot> snapshot_;
  std::mutex workers_change_;       // for those who must not wait for a change: the list itself
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::vector<Listening> listening_;
  std::unique_ptr<Admin> admin_;

  std::mutex dispatching_;
  std::unique_ptr<WorkerThread> checking_;            // runs checks, if any upstream wants them
  std::unique_ptr<proxy::Checks> checks_;             // on its thread
  std::unique_ptr<WorkerThread> private_worker_;
};

}  // namespace v0
}  // namespace gw
