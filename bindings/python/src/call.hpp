/// \file
/// A request on its way through Python: a copy of what Python may ask about it, so that no thread of Python touches what a worker owns.
#pragma once

#include "crossing.hpp"

#include <gw/gw.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gw_python {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// Something for Python to do: one of the three below.
struct Item {
  virtual ~Item() = default;
  /// It will not be done.
  virtual void abandon() {}
};
using Queue = Crossing<Item>;

/// A call of a handler. Filled by the worker, then used by one thread of Python, then by the worker again.
struct Call : Item {
  // What is asked.
  std::size_t handler = 0;  ///< its number
  std::string method, target, path, query, authority, body, route, id, client_address, peer_address, client_scheme, consumer;
  Pairs headers, params;

  // What came of it; then `resume` is called.
  std::optional<gw::Response> response;
  std::function<void()> resume;
  bool is_done = false;  ///< Python has answered, or failed
  void abandon() override { resume(); }
};

/// The next piece of a stream is wanted.
struct Pull : Item {
  std::size_t stream = 0;  ///< its number; Python keeps the object
  std::string piece;  ///< empty: the end
  bool has_failed = false;
  std::function<void()> resume;
  bool is_done = false;
  void abandon() override { resume(); }
};

/// Nobody wants more of a stream.
struct Drop : Item {
  explicit Drop(std::size_t s) : stream(s) {}
  std::size_t stream;
};

/// A handler of a gateway that Python answers: number `handler` of those of `queue`.
gw::Handler python_handler(std::size_t handler, std::shared_ptr<Queue> queue);

/// Content that Python has piece by piece.
gw::Body python_body(std::size_t stream, std::shared_ptr<Queue> queue);

}  // namespace gw_python
