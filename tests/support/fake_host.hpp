/// \file
/// What tests of stages and pipelines put around a context.
#pragma once

#include <gw/context.hpp>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace gw_test {

/// A gateway that keeps its log, and answers what is sent upstream with the request's path.
class FakeHost : public gw::detail::Host {
 public:
  std::string logged;  ///< "error: text\n" and so on

  gw::Task<gw::Result<gw::Response>> send(const gw::Upstream&, gw::Request request) override {
    gw::Response response(200, std::string(request.path()));
    co_return response;
  }
  void log(gw::LogLevel level, std::string_view line) override {
    constexpr std::string_view names[] = {"error: ", "warning: ", "info: "};
    logged.append(names[static_cast<int>(level)]).append(line) += '\n';
  }
};

/// Runs a task to its end and gives its value.
template <class T>
T run(gw::Task<T> task) {
  asio::io_context io;
  std::exception_ptr error;
  if constexpr (std::is_void_v<T>) {
    asio::co_spawn(io, std::move(task), [&](std::exception_ptr e) { error = e; });
    io.run();
    if (error) std::rethrow_exception(error);
  } else {
    std::optional<T> result;
    asio::co_spawn(io, [](gw::Task<T> t, std::optional<T>& r) -> gw::Task<> { r.emplace(co_await std::move(t)); }(std::move(task), result),
                   [&](std::exception_ptr e) { error = e; });
    io.run();
    if (error) std::rethrow_exception(error);
    return std::move(*result);
  }
}

}  // namespace gw_test
