/// \file
/// Level 2: calls that block, off the workers.
#pragma once

#include <gw/task.hpp>

#include <asio/co_spawn.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>

#include <type_traits>
#include <utility>

namespace gw {
inline namespace v0 {
namespace detail {
/// The threads for blocking calls of the gateway whose worker runs `executor`.
GW_EXPORT asio::thread_pool& blocking_threads(const asio::any_io_executor& executor);
}  // namespace detail

/// Runs `f()` on one of a few threads that may block, and resumes on the worker with its result; an
/// exception of `f` is thrown here. For handlers and coroutine stages:
///
///     const auto load = [] { return read_file("motd.txt"); };
///     std::string text = co_await gw::blocking(load);
template <class F>
Task<std::invoke_result_t<F&>> blocking(F f) {
  const asio::any_io_executor worker = co_await asio::this_coro::executor;
  // Named, and owning nothing but a reference: see `Task` about GCC 12. `f` lives in this frame.
  auto call = [&f]() -> Task<std::invoke_result_t<F&>> { co_return f(); };
  co_return co_await asio::co_spawn(detail::blocking_threads(worker), call(), asio::use_awaitable);
}

}  // namespace v0
}  // namespace gw
