// The demo: two services and a gateway in one process.
#pragma once

#include <gw/log.hpp>

#include <cstdint>

namespace demo {

/// Serves on 127.0.0.1:`port` until SIGTERM or Ctrl-C. Throws gw::ConfigError, e.g. if the port is taken.
void run(std::uint16_t port, const gw::LogSink& log);

}  // namespace demo
