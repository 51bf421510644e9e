/// \file
/// Level 4: the stage `request_id`.
#pragma once

#include <gw/middleware.hpp>

namespace gw {
inline namespace v0 {

/// Sends the id of the request (`Context::id`) to the upstream and back to the client, as
/// `X-Request-Id`. What the client sent under that name is replaced: anybody can write it.
class RequestId {
 public:
  static constexpr std::string_view stage_name = "request_id";

  void request(Context& c) const { c.req.headers.set(field, c.id()); }
  void response(Context& c) const { c.res.headers.set(field, c.id()); }

 private:
  static constexpr std::string_view field = "X-Request-Id";
};

/// `app.use(gw::request_id());`
inline Stage request_id() { return RequestId(); }

}  // namespace v0
}  // namespace gw
