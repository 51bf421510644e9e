#include "proxy/fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

enum class Kind : std::uint8_t {
  end_to_end,
  hop_by_hop,      // RFC 9110 7.6.1, and "Proxy", which CGI servers mistake for a setting
  connection,      // hop-by-hop, and names more of them
  upgrade,
  content_length,
  host,
  forwarded,       // who the client is: only a trusted peer may say
  via,
  date,
};

struct KnownField {
  std::string_view name;
  Kind kind;
};
constexpr std::array<KnownField, 19> known_fields{{
    {"te", Kind::hop_by_hop},
    {"via", Kind::via},
    {"host", Kind::host},
    {"date", Kind::date},
    {"proxy", Kind::hop_by_hop},
    {"trailer", Kind::hop_by_hop},
    {"upgrade", Kind::upgrade},
    {"forwarded", Kind::forwarded},
    {"keep-alive", Kind::hop_by_hop},
    {"connection", Kind::connection},
    {"content-length", Kind::content_length},
    {"http2-settings", Kind::hop_by_hop},
    {"x-forwarded-for", Kind::forwarded},
    {"x-forwarded-host", Kind::forwarded},
    {"x-forwarded-port", Kind::forwarded},
    {"proxy-connection", Kind::hop_by_hop},
    {"x-forwarded-proto", Kind::forwarded},
    {"transfer-encoding", Kind::hop_by_hop},
    {"x-forwarded-prefix", Kind::forwarded},
}};

// The fields are sorted by length: where those of each length begin.
constexpr auto first_of_length = [] {
  std::array<std::uint8_t, 20> table{};
  for (std::size_t length = 0; length < table.size(); ++length)
    while (table[length] < known_fields.size() && known_fields[table[length]].name.size() < length) ++table[length];
  return table;
}();
static_assert(known_fields.back().name.size() + 2 == first_of_length.size());
static_assert(std::is_sorted(known_fields.begin(), known_fields.end(), [](auto& a, auto& b) { return a.name.size() < b.name.size(); }));

Kind kind_of(std::string_view name) noexcept {
  if (name.size() + 1 >= first_of_length.size()) return Kind::end_to_end;
  const char first = static_cast<char>(name[0] | 0x20);
  for (std::size_t i = first_of_length[name.size()]; i < first_of_length[name.size() + 1]; ++i)
    if (known_fields[i].name[0] == first && iequals(known_fields[i].name, name)) return known_fields[i].kind;
  return Kind::end_to_end;
}

// The fields that Connection names, besides those that are hop-by-hop anyway: nearly always none.
class Nominated {
 public:
  explicit Nominated(const Headers& headers) {
    for (const auto& [name, value] : headers) {
      if (name.size() != 10 || kind_of(name) != Kind::connection) continue;
      if (iequals(value, "keep-alive") || iequals(value, "close")) continue;
      for_each_element(value, [this](std::string_view element) {
        // Host and the like are not the sender's to take away.
        if (kind_of(element) == Kind::end_to_end && !iequals(element, "close")) names_.push_back(element);
      });
    }
  }
  bool has(std::string_view name) const noexcept {
    return std::any_of(names_.begin(), names_.end(), [name](std::string_view n) { return iequals(n, name); });
  }
  bool empty() const noexcept { return names_.empty(); }

 private:
  std::vector<std::string_view> names_;
};

void append_number(std::string& out, std::uint64_t n) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

void append_port(std::string& out, std::uint16_t port) {
  out += "X-Forwarded-Port: ";
  append_number(out, port);
  out += "\r\n";
}

// What a peer says about its client that nobody vouches for is replaced.
void append_client(std::string& out, const ForwardedFor& from) {
  append_field(out, "X-Forwarded-For", from.peer_address);
  append_field(out, "X-Forwarded-Proto", from.proto);
  if (!from.host.empty()) append_field(out, "X-Forwarded-Host", from.host);
  append_port(out, from.port);
}

// What a trusted peer says is kept, the peer added to the hops, and what is missing filled in.
void append_trusted(std::string& out, const Headers& headers, const ForwardedFor& from) {
  const bool has_hops = headers.has("x-forwarded-for");
  bool has_forwarded = false, has_proto = false, has_host = false, has_port = false;
  for (const auto& [name, value] : headers) {
    if (kind_of(name) != Kind::forwarded || iequals(name, "x-forwarded-for")) continue;
    const bool is_forwarded = iequals(name, "forwarded");
    // Beside X-Forwarded-For it is not believed: it may be the client's own.
    if (is_forwarded && has_hops) continue;
    has_forwarded = has_forwarded || is_forwarded;
    has_proto = has_proto || iequals(name, "x-forwarded-proto");
    has_host = has_host || iequals(name, "x-forwarded-host");
    has_port = has_port || iequals(name, "x-forwarded-port");
    append_field(out, name, value);
  }
  // One field: many servers look at the first of several alone.
  out += "X-Forwarded-For: ";
  for (const auto& [name, value] : headers)
    if (!value.empty() && iequals(name, "x-forwarded-for")) out.append(value).append(", ");
  if (!has_hops && from.client_address != from.peer_address) out.append(from.client_address).append(", ");
  out.append(from.peer_address).append("\r\n");
  if (has_forwarded) {
    const bool is_v6 = from.peer_address.find(':') != std::string_view::npos;
    out.append(is_v6 ? "Forwarded: for=\"[" : "Forwarded: for=").append(from.peer_address).append(is_v6 ? "]\"\r\n" : "\r\n");
  }
  // Behind a proxy that speaks TLS the port of this listener would be wrong.
  if (!has_port && !has_proto && !has_forwarded) append_port(out, from.port);
  if (!has_proto) append_field(out, "X-Forwarded-Proto", from.proto);
  if (!has_host && !from.host.empty()) append_field(out, "X-Forwarded-Host", from.host);
}

}  // namespace

void strip_hop_by_hop(Headers& headers, bool keep_upgrade) {
  const Nominated nominated(headers);
  headers.remove_if([&](const Headers::Field& f) {
    switch (kind_of(f.name)) {
      case Kind::hop_by_hop: case Kind::connection: return true;
      case Kind::upgrade: return !keep_upgrade;
      case Kind::end_to_end: return !nominated.empty() && nominated.has(f.name);
      default: return false;
    }
  });
}

void remove_nominated(Headers& headers) {
  const Nominated nominated(headers);
  if (nominated.empty()) return;
  headers.remove_if([&](const Headers::Field& f) { return kind_of(f.name) == Kind::end_to_end && nominated.has(f.name); });
}

void append_content_length(std::string& out, std::uint64_t length) {
  out += "Content-Length: ";
  append_number(out, length);
  out += "\r\n";
}

void append_last_chunk(std::string& out, const Headers& trailers) {
  out += "0\r\n";
  for (const auto& [name, value] : trailers) append_field(out, name, value);
  out += "\r\n";
}

void append_forwarded_fields(std::string& out, const Request& request, const ForwardedFor& from, std::string_view pseudonym, bool is_upgrade) {
  std::string_view upgrade;
  bool wants_trailers = false;
  for (const auto& [name, value] : request.headers) {
    switch (kind_of(name)) {
      case Kind::end_to_end: case Kind::via: case Kind::date:
        append_field(out, name, value);
        break;
      case Kind::upgrade: upgrade = value; break;
      case Kind::hop_by_hop:
        if (iequals(name, "te")) wants_trailers = wants_trailers || has_element(value, "trailers");
        break;
      case Kind::forwarded:
        // A request that the gateway makes itself may say what it likes.
        if (from.peer_address.empty()) append_field(out, name, value);
        break;
      case Kind::connection: case Kind::content_length: case Kind::host: break;
    }
  }
  out.append(request.version == Version::http11 ? "Via: 1.1 " : "Via: 1.0 ").append(pseudonym).append("\r\n");
  if (from.is_trusted) append_trusted(out, request.headers, from);
  else if (!from.peer_address.empty()) append_client(out, from);
  if (is_upgrade) {
    out += wants_trailers ? "Connection: upgrade, TE\r\n" : "Connection: upgrade\r\n";
    append_field(out, "Upgrade", upgrade);
  } else if (wants_trailers) {
    out += "Connection: TE\r\n";
  }
  if (wants_trailers) out += "TE: trailers\r\n";
}

void append_request_framing(std::string& out, Method method, bool has_content, std::optional<std::uint64_t> size) {
  // With these methods the absence of content is told with a length of 0 (RFC 9110 8.6).
  const bool is_anticipated = method == Method::post || method == Method::put || method == Method::patch;
  if (has_content && !size) out += "Transfer-Encoding: chunked\r\n";
  else if (has_content || is_anticipated) append_content_length(out, has_content ? *size : 0);
  out += "\r\n";
}

bool is_loop(const Request& request, std::string_view pseudonym) {
  for (const auto& [name, value] : request.headers) {
    if (kind_of(name) != Kind::via) continue;
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

void append_response_head(std::string& out, const Response& response, const ResponseFraming& framing, std::string_view date) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(response.status));
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";

  const bool is_switch = response.status == 101;
  bool has_date = response.status < 200;
  std::string_view described_length;
  for (const auto& [name, value] : response.headers) {
    switch (kind_of(name)) {
      case Kind::hop_by_hop: case Kind::connection: break;
      case Kind::upgrade:
        if (is_switch) append_field(out, name, value);
        break;
      case Kind::content_length: described_length = value; break;
      case Kind::date: has_date = true; [[fallthrough]];
      default: append_field(out, name, value);
    }
  }
  if (!has_date) append_field(out, "Date", date);

  switch (framing.framing) {
    case h1::Framing::length: append_content_length(out, framing.length); break;
    case h1::Framing::chunked: out += "Transfer-Encoding: chunked\r\n"; break;
    case h1::Framing::none:
      // The size that a GET would have had (RFC 9110 8.6). Never with 1xx and 204.
      if (!described_length.empty() && response.status >= 200 && response.status != 204) append_field(out, "Content-Length", described_length);
      break;
    case h1::Framing::until_close: break;
  }
  if (is_switch) out += "Connection: upgrade\r\n";
  else if (response.status >= 200 && !framing.keep_alive) out += "Connection: close\r\n";
  else if (framing.keep_alive && framing.client == Version::http10) out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
