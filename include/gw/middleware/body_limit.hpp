/// \file
/// Level 4: the stage `body_limit`.
#pragma once

#include <gw/middleware.hpp>

#include <cstdint>

namespace gw {
inline namespace v0 {

/// The options of `body_limit`.
struct BodyLimitOptions {
  std::uint64_t size = 0;  ///< bytes of a request's body; then 413
};

/// Lets at most `size` bytes of the request's body pass. A larger Content-Length is answered 413 before anything goes upstream; a
/// body of unknown length is cut where it passes the limit, and the request fails with `Error::body_too_large`.
///
/// It lowers `limits.body` of gateway and route, and never raises it: of several limits the lowest counts. It bounds what is
/// read after it; a stage before it has had its turn.
class BodyLimit {
 public:
  static constexpr std::string_view stage_name = "body_limit";

  explicit BodyLimit(BodyLimitOptions options) : size_(options.size) {}

  GW_EXPORT void request(Context& c) const;

 private:
  std::uint64_t size_;
};

/// `app.use(gw::body_limit({.size = 1024 * 1024}));`
inline Stage body_limit(BodyLimitOptions options) { return BodyLimit(options); }

}  // namespace v0
}  // namespace gw
