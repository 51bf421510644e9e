#include <gw/error.hpp>

#include <iterator>

namespace gw {
inline namespace v0 {

namespace {

struct Row {
  Error error;
  std::string_view name;
  int status;
  std::string_view message;
};

/// Which failure gives which answer, in the order of `Error`. docs/errors.md is the same table.
constexpr Row rows[] = {
    {Error::malformed_request, "malformed_request", 400, "the request does not follow the HTTP/1.1 syntax"},
    {Error::bad_line_end, "bad_line_end", 400, "every line of the request head must end with CR LF"},
    {Error::bad_request_line, "bad_request_line", 400, "the request line must be \"METHOD target HTTP/1.1\" with single spaces"},
    {Error::bad_target, "bad_target", 400, "the request target must be a path or an http URL in visible ASCII, without a fragment"},
    {Error::bad_path, "bad_path", 400, "the path must not contain control characters, backslashes or broken percent escapes"},
    {Error::bad_field, "bad_field", 400, "a header field has a forbidden character, a space before its colon, or is folded"},
    {Error::bad_host, "bad_host", 400, "the request must have exactly one Host field of the form host or host:port"},
    {Error::bad_content_length, "bad_content_length", 400,
     "Content-Length must be one plain decimal number, given once, behind at most one space"},
    {Error::bad_transfer_encoding, "bad_transfer_encoding", 400,
     "Transfer-Encoding must be exactly \"chunked\", given once, behind at most one space, in HTTP/1.1 and without Content-Length"},
    {Error::unexpected_content, "unexpected_content", 400, "a HEAD or TRACE request must not have content"},
    {Error::bad_chunk, "bad_chunk", 400, "the chunked body has an invalid chunk size, chunk extension or end of chunk"},
    {Error::bad_trailer, "bad_trailer", 400, "a trailer field is malformed or may not be sent as a trailer"},
    {Error::unknown_method, "unknown_method", 501, "this request method is not supported"},
    {Error::unsupported_transfer_coding, "unsupported_transfer_coding", 501, "the only supported transfer coding is \"chunked\""},
    {Error::unsupported_version, "unsupported_version", 505, "the supported versions are HTTP/1.0 and HTTP/1.1"},
    {Error::unsupported_expectation, "unsupported_expectation", 417, "the only supported expectation is \"100-continue\""},
    {Error::unsupported_websocket, "unsupported_websocket", 426, "the supported version of WebSocket is 13"},
    {Error::head_too_large, "head_too_large", 431, "the header fields are too large"},
    {Error::too_many_fields, "too_many_fields", 431, "there are too many header fields"},
    {Error::trailers_too_large, "trailers_too_large", 431, "the trailer fields are too large"},
    {Error::chunk_extensions_too_large, "chunk_extensions_too_large", 400, "the chunk extensions are too large"},
    {Error::target_too_long, "target_too_long", 414, "the request target is too long"},
    {Error::body_too_large, "body_too_large", 413, "the body is too large"},
    {Error::client_timeout, "client_timeout", 408, "the request did not arrive in time"},
    {Error::client_gone, "client_gone", 499, "the client closed the connection"},
    {Error::no_route, "no_route", 404, "no Route matched with those values"},
    {Error::method_not_allowed, "method_not_allowed", 405, "this method is not allowed here; Allow lists those that are"},
    {Error::unauthorized, "unauthorized", 401, "valid credentials are needed"},
    {Error::forbidden, "forbidden", 403, "this client is not allowed here"},
    {Error::rate_limited, "rate_limited", 429, "too many requests; try again later"},
    {Error::handler_failed, "handler_failed", 500, "an unexpected error occurred"},
    {Error::overloaded, "overloaded", 503, "the gateway is overloaded; try again later"},
    {Error::out_of_descriptors, "out_of_descriptors", 503, "the gateway cannot open more connections; try again later"},
    {Error::loop_detected, "loop_detected", 508, "the request came back to this gateway; check where its route forwards to"},
    {Error::stopped, "stopped", 503, "the gateway is shutting down"},
    {Error::no_endpoint, "no_endpoint", 503, "no endpoint of the upstream is available"},
    {Error::dns_failed, "dns_failed", 503, "the name of the upstream could not be resolved"},
    {Error::upstream_busy, "upstream_busy", 503, "the upstream has no free connection; try again later"},
    {Error::circuit_open, "circuit_open", 503, "the upstream has failed too often; try again later"},
    {Error::connect_failed, "connect_failed", 502, "the upstream could not be reached"},
    {Error::connect_timeout, "connect_timeout", 504, "the upstream did not accept a connection in time"},
    {Error::upstream_reset, "upstream_reset", 502, "the upstream closed the connection before its response was complete"},
    {Error::upstream_timeout, "upstream_timeout", 504, "the upstream did not respond in time"},
    {Error::bad_response, "bad_response", 502, "the upstream sent an invalid response"},
    {Error::response_too_large, "response_too_large", 502, "the header fields of the upstream's response are too large or too many"},
    {Error::tunnel_timeout, "tunnel_timeout", 504, "nothing came through the tunnel for too long"},
};

/// For the codes of sockets and of the system, which come from the way to an upstream.
constexpr Row foreign{Error{}, "system", 502, "the connection to the upstream failed"};

constexpr bool rows_are_in_order() noexcept {
  for (std::size_t i = 0; i < std::size(rows); ++i)
    if (static_cast<std::size_t>(rows[i].error) != i + 1) return false;
  return rows[std::size(rows) - 1].error == Error::tunnel_timeout;
}
static_assert(rows_are_in_order(), "one row per Error, in the order of the enumeration");

const Row& row_of(int value) noexcept {
  const bool known = value >= 1 && value <= static_cast<int>(std::size(rows));
  return known ? rows[value - 1] : foreign;
}

const Row& row_of(const std::error_code& code) noexcept { return code.category() == gw_category() ? row_of(code.value()) : foreign; }

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "gw"; }
  std::string message(int value) const override { return std::string(row_of(value).message); }
};

}  // namespace

const std::error_category& gw_category() noexcept {
  static const Category category;
  return category;
}

int status_of(const std::error_code& code) noexcept { return row_of(code).status; }

std::string_view name_of(const std::error_code& code) noexcept { return row_of(code).name; }

std::string_view message_of(const std::error_code& code) noexcept { return row_of(code).message; }

}  // namespace v0
}  // namespace gw
