/// \file
/// Fuzz target: requests in a row. Whole and in fragments they must mean the same; what is accepted has a target, a host and fields in
/// the strict grammar, is accepted again when it is written anew, and what goes upstream is read as that request.
#include "proxy/fields.hpp"

#include "wire_input.hpp"

#include <string>

namespace {

bool all_of(std::string_view text, bool (*test)(unsigned char)) {
  for (const char c : text)
    if (!test(static_cast<unsigned char>(c))) return false;
  return true;
}

bool is_visible(unsigned char c) { return c > 0x20 && c < 0x7f; }

void check_form(const gw::h1::RequestCodec& codec, const gw::Request& request) {
  const std::string_view target = request.target();
  wire::require(target == "*" ? request.method == gw::Method::options : target.starts_with("/"), "the target is origin-form");
  wire::require(all_of(target, is_visible) && target.find('#') == target.npos, "the target is visible ASCII without a fragment");
  wire::require(request.method != gw::Method::connect, "CONNECT is refused");
  const std::size_t hosts = request.headers.count("host"), lengths = request.headers.count("content-length");
  const std::size_t codings = request.headers.count("transfer-encoding");
  wire::require(hosts == 1 || (hosts == 0 && request.version == gw::Version::http10), "one Host");
  wire::require(hosts == 0 || request.headers["host"] == request.authority(), "Host is the authority");
  const std::string_view authority = request.authority();
  wire::require(all_of(authority, is_visible) && authority.find_first_of("@/\\,?#\"<>") == authority.npos, "no user, path or list");
  wire::require(lengths + codings <= 1, "one field frames the content");
  wire::require((codings == 1) == (codec.framing() == gw::h1::Framing::chunked), "chunks are announced");
  wire::require((lengths == 1) == (codec.framing() == gw::h1::Framing::length), "a length is announced");
  wire::require(lengths == 0 || request.headers["content-length"] == std::to_string(codec.length()), "a length is a plain number");
  for (const auto& [name, value] : request.headers)
    wire::require(gw::is_token(name) && gw::is_field_value(value), "fields are in the grammar");
}

/// What an upstream would be sent, but for its path and Host.
void check_forwarded(const gw::h1::RequestCodec& codec, const gw::Request& request) {
  gw::Headers headers = request.headers;
  gw::proxy::remove_nominated(headers);
  gw::proxy::remove_forwarded(headers);
  gw::Request stripped;
  stripped.method = request.method;
  stripped.version = request.version;
  stripped.headers = std::move(headers);
  gw::proxy::HeadText text;
  text.put(gw::to_string(request.method), " ", request.target(), " HTTP/1.1\r\nHost: upstream\r\n");
  const bool has_content = codec.framing() != gw::h1::Framing::none;
  const auto size = codec.framing() == gw::h1::Framing::length ? std::optional(codec.length()) : std::nullopt;
  const std::string_view upgrade = codec.wants_upgrade() && !has_content ? "websocket" : "";
  gw::proxy::append_forwarded_fields(text, stripped, {"10.0.0.1", request.authority(), "http", 80, {}}, "gw", upgrade);
  gw::proxy::append_request_framing(text, request.method, has_content, size);
  const std::string head(text.text());

  gw::Limits wide;
  wide.head = wide.target = 1 << 30;
  wide.fields = 1 << 20;
  gw::h1::RequestCodec second(wide);
  gw::Request copy;
  const auto read = second.head(head, copy);
  wire::require(read && *read == head.size(), "what goes upstream is a request");
  wire::require(copy.method == request.method && copy.target() == request.target() && second.keep_alive(), "it is the same request");
  const bool has_same_end = second.framing() == codec.framing() && second.length() == codec.length();
  const bool has_none = second.length() == 0 && second.framing() != gw::h1::Framing::chunked;
  wire::require(has_content ? has_same_end : has_none, "its content ends where it did");
  const bool is_chunked = codec.framing() == gw::h1::Framing::chunked;
  wire::require(copy.headers.has("transfer-encoding") == is_chunked, "the framing is gw's own");
  for (const char* gone : {"keep-alive", "proxy-connection", "proxy", "http2-settings"})
    wire::require(!copy.headers.has(gone), "hop-by-hop fields stay");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const wire::Input input(data, size);
  const std::string transcript = wire::read_requests(input.bytes, wire::whole, input.limits);
  wire::require(transcript == wire::read_requests(input.bytes, input.fragments(), input.limits), "fragments do not change the meaning");
  gw::h1::RequestCodec codec(input.limits);
  gw::Request request;
  const auto head = codec.head(input.bytes, request);
  if (!head || *head == 0) return 0;
  check_form(codec, request);
  check_forwarded(codec, request);
  return 0;
}
