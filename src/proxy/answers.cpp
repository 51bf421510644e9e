#include "proxy/answers.hpp"

#include "proxy/exchange.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

void Redirect::operator()(Context& c) const {
  const auto& exchange = static_cast<const Exchange&>(*detail::ContextAccess::host(c));
  std::string location;
  if (!to_.append_location(location, exchange.template_values())) {
    const bool lacks_host = to_.needs_host() && c.req.authority().empty();
    return c.fail(Failure(lacks_host ? Error::bad_host : Error::bad_path, Origin::client));
  }
  if (keep_query_ && c.req.has_query()) {
    const std::string_view query = c.req.query();
    if (!to_.has_query()) location.append(1, '?').append(query);
    else if (!query.empty()) location.append(1, '&').append(query);
  }
  c.reply(Response(status_));
  c.res.headers.set("Location", location);
}

void FixedReply::operator()(Context& c) const {
  Response response;
  response.status = response_.status;
  // This object outlives the request.
  for (const auto& [name, value] : response_.headers) response.headers.borrow(name, value);
  response.body = Body(response_.body.text());
  c.reply(std::move(response));
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
