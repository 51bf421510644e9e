/// \file
/// Level 4: the stage `request_id`.
#pragma once

#include <gw/middleware.hpp>

namespace gw {
inline namespace v0 {

/// Sends the id of the request (`Context::id`) to the upstream and back to the client, as
/// `X-Request-Id`. What a trusted peer sent under that name becomes the id, if it is one of 1 to 128
/// token characters and sent once; anybody else's is replaced.
class RequestId {
 public:
  static constexpr std::string_view stage_name = "request_id";

  void request(Context& c) const {
    // A proxy that appends instead of replacing leaves the client's first.
    if (c.is_peer_trusted() && c.req.headers.count(field) == 1) c.set_id(c.req.headers[field]);
    replace(c.req.headers, c.id());
  }
  void response(Context& c) const { replace(c.res.headers, c.id()); }

 private:
  // An id is a token and lives as long as the headers: there is nothing to check or to copy.
  static void replace(Headers& headers, std::string_view id) {
    headers.remove(field);
    headers.borrow(field, id);
  }

  static constexpr std::string_view field = "X-Request-Id";
};

/// `app.use(gw::request_id());`
inline Stage request_id() { return RequestId(); }

}  // namespace v0
}  // namespace gw
