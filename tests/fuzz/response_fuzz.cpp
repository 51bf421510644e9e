/// \file
/// Fuzz target: responses in a row, to GET and to HEAD. Whole and in fragments they must mean the same; what is accepted is in the strict
/// grammar, and what goes to the client is read as that response.
#include "proxy/fields.hpp"

#include "wire_input.hpp"

#include <string>

namespace {

void check_form(const gw::h1::ResponseCodec& codec, const gw::Response& response, gw::Method method) {
  using gw::h1::Framing;
  wire::require(response.status >= 100 && response.status <= 599, "the status is one");
  const std::size_t lengths = response.headers.count("content-length"), codings = response.headers.count("transfer-encoding");
  wire::require(lengths + codings <= 1, "one field frames the content");
  const bool is_bodiless = method == gw::Method::head || response.status < 200 || response.status == 204 || response.status == 304;
  const Framing framing = codings == 1 ? Framing::chunked : lengths == 1 ? Framing::length : Framing::until_close;
  const Framing expected = is_bodiless ? Framing::none : framing;
  wire::require(codec.framing() == expected, "RFC 9112 6.3");
  const bool announces = codings == 1 || (lengths == 1 && response.headers["content-length"] != "0");
  wire::require(response.status >= 200 || !announces, "1xx announces nothing");
  const bool is_last = expected == Framing::until_close || response.status == 101 || (response.status == 204 && announces);
  wire::require(!is_last || !codec.keep_alive(), "a connection that is used again has a next message");
  for (const auto& [name, value] : response.headers)
    wire::require(gw::is_token(name) && gw::is_field_value(value), "fields are in the grammar");
}

/// What a client of HTTP/1.1 would be sent: the same to whoever reads it.
void check_relayed(const gw::h1::ResponseCodec& codec, gw::Response& response, gw::Method method) {
  using gw::h1::Framing;
  gw::proxy::strip_hop_by_hop(response.headers, response.status == 101);
  const Framing framing = codec.framing() == Framing::until_close ? Framing::chunked : codec.framing();
  gw::proxy::HeadText text;
  gw::proxy::append_response_head(text, response, {framing, codec.length(), true, gw::Version::http11}, "Thu, 01 Jan 1970 00:00:00 GMT");
  const std::string head(text.text());

  gw::Limits wide;
  wide.head = 1 << 30;
  wide.fields = 1 << 20;
  gw::h1::ResponseCodec second(wide);
  gw::Response copy;
  second.reset(method);
  const auto read = second.head(head, copy);
  wire::require(read && *read == head.size(), "what goes to the client is a response");
  wire::require(copy.status == response.status, "it is the same response");
  wire::require(second.framing() == framing && second.length() == codec.length(), "its content ends where it did");
  wire::require(second.keep_alive() == (response.status != 101), "its connection goes on");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const wire::Input input(data, size);
  const gw::Method method = input.chooses(5) ? gw::Method::head : gw::Method::get;
  const bool closes = input.chooses(6);
  wire::require(wire::read_responses(input.bytes, wire::whole, method, closes, input.limits) ==
                    wire::read_responses(input.bytes, input.fragments(), method, closes, input.limits),
                "fragments do not change the meaning");
  gw::h1::ResponseCodec codec(input.limits);
  gw::Response response;
  codec.reset(method);
  const auto head = codec.head(input.bytes, response);
  if (!head || *head == 0) return 0;
  check_form(codec, response, method);
  check_relayed(codec, response, method);
  return 0;
}
