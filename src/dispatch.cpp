#include "dispatch.hpp"

#include "exception_text.hpp"
#include "proxy/exchange.hpp"

namespace gw {
inline namespace v0 {

namespace {

// More than this is not a response to be looked at in one piece.
constexpr std::size_t largest_content = 64 * 1024 * 1024;

class NoClient final : public proxy::Client {
 public:
  Task<> interim(const Response&) override { co_return; }
};

}  // namespace

Task<> dispatch_on(proxy::Worker& worker, Request& request, Response& response) {
  NoClient client;
  proxy::Exchange exchange(worker, client);
  Context& c = exchange.context;
  c.req = std::move(request);
  exchange.begin(proxy::Peer{});
  detail::ContextAccess::add_bytes_received(c, c.req.body.text().size());
  if (!exchange.run_now(false)) co_await exchange.run();
  detail::ContextAccess::set_head_sent(c);
  // A response to HEAD, and one with 204 or 304, ends with its head (RFC 9112 6.3).
  if (c.req.method == Method::head || c.res.status == 204 || c.res.status == 304) c.res.body = Body();

  Result<std::string> content = Failure(Error::handler_failed);
  try {
    content = co_await c.res.body.text(largest_content);
  } catch (...) {
    c.log(LogLevel::error, "the body of the response threw: " + detail::text_of(std::current_exception()));
  }
  if (content) {
    response.status = c.res.status;
    response.headers = c.res.headers;
    response.body = Body(std::move(*content));
    detail::ContextAccess::add_bytes_sent(c, response.body.text().size());
    detail::ContextAccess::set_complete(c);
  } else {
    detail::ContextAccess::set_failure(c, content.error());
    response = Response::error(status_of(content.error().code), message_of(content.error().code));
  }
  c.res.body = Body();
  while (exchange.calls.uploads > 0) co_await exchange.calls.upload_ended.wait();
  exchange.end();
}

}  // namespace v0
}  // namespace gw
