#include "proxy/fields.hpp"

#include "h1/words.hpp"

#include <algorithm>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

using h1::FieldKind;
using h1::kind_of;

// Whether Connection names other fields than those that are hop-by-hop anyway: nearly always not.
bool names_others(const Headers& headers) noexcept {
  for (const auto& [name, value] : headers)
    if (h1::is_word(name, "connection") && !h1::is_word(value, "keep-alive") && !h1::is_word(value, "close")) return true;
  return false;
}

// Servers that make variables of fields (CGI, WSGI) take "_" and "-" for one character: `X_Forwarded_For` would be believed in place of the
// field that gw or a stage vouches for.
bool is_alias(std::string_view name, const Headers& headers) {
  if (name.find('_') == std::string_view::npos) return false;
  std::string plain(name);
  std::replace(plain.begin(), plain.end(), '_', '-');
  return kind_of(plain) != FieldKind::end_to_end || headers.has(plain);
}

void put_content_length(HeadText& out, std::uint64_t length) { out.put("Content-Length: ", Decimal(length), "\r\n"); }

void put_port(HeadText& out, std::uint16_t port) { out.put("X-Forwarded-Port: ", Decimal(port), "\r\n"); }

// Who the client is, of which nothing was said.
void put_client(HeadText& out, const ForwardedFor& from) {
  out.put("X-Forwarded-For: ", from.peer_address, "\r\nX-Forwarded-Proto: ", from.proto, from.host.empty() ? "" : "\r\nX-Forwarded-Host: ", from.host,
          "\r\nX-Forwarded-Port: ", Decimal(from.port), "\r\n");
}

// What a trusted peer or a stage says is kept, the peer added to the hops, and what is missing filled in.
void put_vouched(HeadText& out, const Headers& headers, const ForwardedFor& from) {
  const bool has_hops = headers.has("x-forwarded-for");
  bool has_forwarded = false, has_proto = false, has_host = false, has_port = false;
  for (const auto& [name, value] : headers) {
    if (kind_of(name) != FieldKind::forwarded || iequals(name, "x-forwarded-for")) continue;
    const bool is_forwarded = iequals(name, "forwarded");
    // Beside X-Forwarded-For it is not believed: it may be the client's own.
    if (is_forwarded && has_hops) continue;
    has_forwarded = has_forwarded || is_forwarded;
    has_proto = has_proto || iequals(name, "x-forwarded-proto");
    has_host = has_host || iequals(name, "x-forwarded-host");
    has_port = has_port || iequals(name, "x-forwarded-port");
    out.put_field(name, value);
  }
  // One field: many servers look at the first of several alone.
  out.put("X-Forwarded-For: ");
  for (const auto& [name, value] : headers)
    if (!value.empty() && iequals(name, "x-forwarded-for")) out.put(value, ", ");
  if (!has_hops && from.client_address != from.peer_address) out.put(from.client_address, ", ");
  out.put(from.peer_address, "\r\n");
  if (has_forwarded) {
    const bool is_v6 = from.peer_address.find(':') != std::string_view::npos;
    out.put(is_v6 ? "Forwarded: for=\"[" : "Forwarded: for=", from.peer_address, is_v6 ? "]\"\r\n" : "\r\n");
  }
  // Behind a proxy that speaks TLS the port of this listener would be wrong.
  if (!has_port && !has_proto && !has_forwarded) put_port(out, from.port);
  if (!has_proto) out.put("X-Forwarded-Proto: ", from.proto, "\r\n");
  if (!has_host && !from.host.empty()) out.put("X-Forwarded-Host: ", from.host, "\r\n");
}

}  // namespace

void strip_hop_by_hop(Headers& headers, bool keep_upgrade) {
  remove_nominated(headers);
  headers.remove_if([keep_upgrade](const Headers::Field& f) {
    const FieldKind kind = kind_of(f.name);
    return h1::is_hop_by_hop(kind) || (kind == FieldKind::upgrade && !keep_upgrade);
  });
}

void remove_nominated(Headers& headers) {
  if (!names_others(headers)) return;
  std::vector<std::string_view> names;
  for (const auto& [name, value] : headers) {
    if (kind_of(name) != FieldKind::connection) continue;
    for_each_element(value, [&](std::string_view element) {
      // Host and the like are not the sender's to take away.
      if (kind_of(element) == FieldKind::end_to_end && !iequals(element, "close")) names.push_back(element);
    });
  }
  headers.remove_if([&](const Headers::Field& f) {
    return kind_of(f.name) == FieldKind::end_to_end && std::any_of(names.begin(), names.end(), [&](std::string_view n) { return iequals(n, f.name); });
  });
}

void remove_forwarded(Headers& headers) {
  headers.remove_if([](const Headers::Field& f) { return kind_of(f.name) == FieldKind::forwarded; });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_last_chunk(std::string& out, const Headers& trailers) {
  out += "0\r\n";
  for (const auto& [name, value] : trailers) append_field(out, name, value);
  out += "\r\n";
}

void append_forwarded_fields(HeadText& out, const Request& request, const ForwardedFor& from, std::string_view pseudonym, std::string_view upgrade) {
  bool wants_trailers = false, is_vouched = false;
  for (const auto& [name, value] : request.headers) {
    switch (kind_of(name)) {
      case FieldKind::end_to_end: case FieldKind::expect: case FieldKind::via: case FieldKind::date:
        // A request that the gateway makes itself may say what it likes.
        if (from.peer_address.empty() || !is_alias(name, request.headers)) out.put_field(name, value);
        break;
      case FieldKind::te: wants_trailers = wants_trailers || has_element(value, "trailers"); break;
      case FieldKind::forwarded:
        if (from.peer_address.empty()) out.put_field(name, value);
        is_vouched = true;
        break;
      case FieldKind::hop_by_hop: case FieldKind::connection: case FieldKind::transfer_encoding: case FieldKind::upgrade: break;
      case FieldKind::content_length: case FieldKind::host: break;
    }
  }
  out.put(request.version == Version::http11 ? "Via: 1.1 " : "Via: 1.0 ", pseudonym, "\r\n");
  if (!from.peer_address.empty()) {
    if (is_vouched) put_vouched(out, request.headers, from);
    else put_client(out, from);
  }
  if (!upgrade.empty()) {
    out.put(wants_trailers ? "Connection: upgrade, TE\r\n" : "Connection: upgrade\r\n");
    out.put("Upgrade: ", upgrade, "\r\n");
  } else if (wants_trailers) {
    out.put("Connection: TE\r\n");
  }
  if (wants_trailers) out.put("TE: trailers\r\n");
}

std::string offer_of(const Headers& headers, const std::vector<std::string>& allowed) {
  std::string offer;
  for (const auto& [name, value] : headers) {
    if (kind_of(name) != FieldKind::upgrade) continue;
    for_each_element(value, [&](std::string_view protocol) {
      if (std::any_of(allowed.begin(), allowed.end(), [&](const std::string& a) { return iequals(a, protocol); }))
        offer.append(offer.empty() ? "" : ", ").append(protocol);
    });
  }
  return offer;
}

bool is_websocket_supported(const Headers& headers, std::string_view offered) {
  if (!has_element(offered, "websocket")) return true;
  return std::all_of(headers.begin(), headers.end(), [](const Headers::Field& f) { return !iequals(f.name, "sec-websocket-version") || f.value == "13"; });
}

bool is_switch_to(const Headers& headers, std::string_view offered) {
  bool says_so = false, names_one = false, names_other = false;
  for (const auto& [name, value] : headers) {
    const FieldKind kind = kind_of(name);
    if (kind == FieldKind::connection) says_so = says_so || has_element(value, "upgrade");
    if (kind != FieldKind::upgrade) continue;
    for_each_element(value, [&](std::string_view protocol) { (has_element(offered, protocol) ? names_one : names_other) = true; });
  }
  return says_so && names_one && !names_other;
}

void append_request_framing(HeadText& out, Method method, bool has_content, std::optional<std::uint64_t> size) {
  // With these methods the absence of content is told with a length of 0 (RFC 9110 8.6).
  const bool is_anticipated = method == Method::post || method == Method::put || method == Method::patch;
  if (has_content && !size) out.put("Transfer-Encoding: chunked\r\n");
  else if (has_content || is_anticipated) put_content_length(out, has_content ? *size : 0);
  out.put("\r\n");
}

bool is_loop(const Request& request, std::string_view pseudonym) {
  for (const auto& [name, value] : request.headers) {
    if (kind_of(name) != FieldKind::via) continue;
    bool found = false;
    // An element is: protocol-version RWS received-by [RWS comment].
    for_each_element(value, [&](std::string_view element) {
      const std::size_t space = element.find_first_of(" \t");
      if (space == std::string_view::npos) return;
      std::string_view by = element.substr(element.find_first_not_of(" \t", space));
      found = found || by.substr(0, by.find_first_of(" \t")) == pseudonym;
    });
    if (found) return true;
  }
  return false;
}

void append_response_head(HeadText& out, const Response& response, const ResponseFraming& framing, std::string_view date) {
  out.put("HTTP/1.1 ", Decimal(static_cast<std::uint64_t>(response.status)), " ", reason_phrase(response.status), "\r\n");

  const bool is_switch = response.status == 101;
  // A 426 says what to upgrade to (RFC 9110 15.5.22).
  bool names_protocol = is_switch;
  bool has_date = response.status < 200;
  std::string_view described_length;
  for (const auto& [name, value] : response.headers) {
    switch (kind_of(name)) {
      case FieldKind::hop_by_hop: case FieldKind::connection: case FieldKind::te: case FieldKind::transfer_encoding: break;
      case FieldKind::upgrade:
        if (!is_switch && response.status != 426) break;
        out.put_field(name, value);
        names_protocol = true;
        break;
      case FieldKind::content_length: described_length = value; break;
      case FieldKind::date: has_date = true; [[fallthrough]];
      default: out.put_field(name, value);
    }
  }
  if (!has_date) out.put("Date: ", date, "\r\n");

  switch (framing.framing) {
    case h1::Framing::length: put_content_length(out, framing.length); break;
    case h1::Framing::chunked: out.put("Transfer-Encoding: chunked\r\n"); break;
    case h1::Framing::none:
      // The size that a GET would have had (RFC 9110 8.6). Never with 1xx and 204.
      if (!described_length.empty() && response.status >= 200 && response.status != 204) out.put("Content-Length: ", described_length, "\r\n");
      break;
    case h1::Framing::until_close: break;
  }
  const bool is_final = response.status >= 200;
  const std::string_view persistence = !is_final ? "" : !framing.keep_alive ? "close" : framing.client == Version::http10 ? "keep-alive" : "";
  if (names_protocol || !persistence.empty()) {
    out.put("Connection: ", persistence, !names_protocol ? "" : persistence.empty() ? "upgrade" : ", upgrade", "\r\n");
  }
  out.put("\r\n");
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
