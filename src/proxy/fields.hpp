/// \file
/// Which header fields go on and which stay, and how heads are written. RFC 9110 7.6.
#pragma once

#include <gw/http.hpp>
#include <gw/message.hpp>

#include "h1/codec.hpp"
#include "proxy/head_text.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Removes what concerns one connection only: the fields of RFC 9110 7.6.1, and those that
/// Connection names. Content-Length stays: it tells a HEAD or 304 the size. With `keep_upgrade`
/// Upgrade stays too, for a 101.
void strip_hop_by_hop(Headers& headers, bool keep_upgrade = false);

/// Removes the fields that a client's Connection names, and leaves the others: done as soon as a request is there, so that a
/// client has no way to take out what stages add afterwards (RFC 9110 7.6.1).
void remove_nominated(Headers& headers);

/// Removes what a client says about where it comes from, Forwarded and every X-Forwarded-*: done as soon as a request of a peer that is not
/// trusted is there, so that neither stages nor upstreams see it.
void remove_forwarded(Headers& headers);

/// Appends "name: value\r\n", of trailers.
void append_field(std::string& out, std::string_view name, std::string_view value);
/// Appends the end of a chunked body with its trailers (RFC 9112 7.1).
void append_last_chunk(std::string& out, const Headers& trailers);

/// Who the client is and how it came, for the X-Forwarded fields.
struct ForwardedFor {
  std::string_view peer_address;    ///< the other end of the connection; empty: nobody, no fields
  std::string_view host;            ///< what it asked for
  std::string_view proto;           ///< "http" or "https", as the client used it
  std::uint16_t port;               ///< where the peer connected to
  std::string_view client_address;  ///< whom a trusted peer speaks for
};

/// Appends a client's fields as an upstream gets them: without Host, framing and hop-by-hop
/// fields, and with Via (RFC 9110 7.6.3), X-Forwarded-* and, for an upgrade, Connection and Upgrade.
/// X-Forwarded-* and Forwarded that are still there were said by a trusted peer or a stage: they are
/// kept and completed (docs/client_address.md). `upgrade` is what is offered to the upstream; empty: nothing.
void append_forwarded_fields(HeadText& out, const Request& request, const ForwardedFor& from, std::string_view pseudonym, std::string_view upgrade);

/// The protocols of a client's Upgrade fields that are among `allowed`, as a list in the client's order (RFC 9110 7.8). They compare
/// without case, and with their versions.
std::string offer_of(const Headers& headers, const std::vector<std::string>& allowed);
/// Whether a request with these fields that offers `offered` asks for no other version of WebSocket than the standard one, 13 (RFC 6455
/// 4.4). Its absence is for the upstream to judge.
bool is_websocket_supported(const Headers& headers, std::string_view offered);

/// Whether a 101 with these fields switches to what was offered: it says that it upgrades, and names nothing else (RFC 9110 7.8).
bool is_switch_to(const Headers& headers, std::string_view offered);

/// Appends how the end of a request's content is told, and the end of the head. `size` is that of the content, if known.
void append_request_framing(HeadText& out, Method method, bool has_content, std::optional<std::uint64_t> size);

/// Whether `request` came through the gateway called `pseudonym` before.
bool is_loop(const Request& request, std::string_view pseudonym);

/// How the end of a response's body is told to the client.
struct ResponseFraming {
  h1::Framing framing = h1::Framing::none;
  std::uint64_t length = 0;
  bool keep_alive = true;
  Version client = Version::http11;
};

/// Appends status line and fields of a response to a client. Framing fields of `response` are left
/// out, except the Content-Length of a response without body to HEAD, or with 304; Date is added if
/// there is none (RFC 9110 6.6.1).
void append_response_head(HeadText& out, const Response& response, const ResponseFraming& framing, std::string_view date);

}  // namespace proxy
}  // namespace v0
}  // namespace gw
