#include <gw/middleware/body_limit.hpp>

namespace gw {
inline namespace v0 {

void BodyLimit::request(Context& c) const {
  if (c.req.body.empty()) return;
  // Who reads the client's bytes counts them; a context without a gateway knows only what is declared.
  if (detail::Host* host = detail::ContextAccess::host(c)) return host->limit_body(size_);
  if (c.req.body.size().value_or(0) > size_) c.fail(Failure(Error::body_too_large, Origin::client));
}

}  // namespace v0
}  // namespace gw
