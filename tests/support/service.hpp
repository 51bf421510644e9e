/// \file
/// A service behind a gateway, for tests.
#pragma once

#include <gw/gw.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace gw_test {

/// Answers every request with its name; with `says_host`, also with the host that it was asked for.
class Service {
 public:
  explicit Service(std::string name, const std::string& address = "127.0.0.1:0", bool says_host = false) {
    app_.config().workers = 1;
    app_.prefix("/").handle([this, name = std::move(name), says_host](gw::Context& c) {
      ++requests;
      return says_host ? name + ' ' + std::string(c.req.headers["host"]) : name;
    });
    server_.emplace(app_.start(address));
  }
  std::uint16_t port() const { return server_->port(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  std::atomic<int> requests{0};

 private:
  gw::Gateway app_;
  std::optional<gw::Server> server_;
};

}  // namespace gw_test
