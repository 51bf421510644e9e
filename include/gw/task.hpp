/// \file
/// Level 1: what runs a request. The only place that decides how gw's coroutines are made.
#pragma once

#include <gw/error.hpp>

#include <asio/awaitable.hpp>

namespace gw {
inline namespace v0 {

/// A coroutine of gw, and of everything that users write for it: `gw::Task<> f(gw::Context&, gw::Next)`.
/// It runs on the worker that owns the request; await it, or any Asio operation with
/// `asio::use_awaitable`.
///
/// GCC 12 destroys some temporaries inside `co_await` expressions twice: name aggregates that hold
/// strings, and lambdas that capture, before passing them to an awaited call
/// (tests/compiler/, docs/middleware.md).
template <class T = void>
using Task = asio::awaitable<T>;

}  // namespace v0
}  // namespace gw
