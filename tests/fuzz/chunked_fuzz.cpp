/// \file
/// Fuzz target: the chunked body of a request or a response. Beside the codec reads a decoder of its own, which takes the input apart
/// by the grammar of RFC 9112 7.1: both must find the same content and end. What was read is written anew, as gw passes it on, and
/// read again.
#include "proxy/fields.hpp"

#include "wire_input.hpp"

#include <gw/path.hpp>

#include <optional>
#include <string>

namespace {

struct Decoded {
  std::string content;
  std::string_view trailers;  ///< the lines behind the last chunk, without the empty one
  std::size_t end = 0;
};

/// Takes `count` or more bytes of `set` from the front of `text`; what they are, or nothing.
template <class Set>
std::optional<std::string_view> take(std::string_view& text, Set is_in_set, std::size_t count = 1) {
  std::size_t size = 0;
  while (size < text.size() && is_in_set(text[size])) ++size;
  if (size < count) return std::nullopt;
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken;
}

bool take_text(std::string_view& text, std::string_view wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(wanted.size());
  return true;
}

bool is_tchar(char c) { return gw::is_token({&c, 1}); }

bool take_extensions(std::string_view& text) {
  while (take_text(text, ";")) {
    if (!take(text, is_tchar)) return false;
    if (!take_text(text, "=")) continue;
    if (!take_text(text, "\"")) {
      if (!take(text, is_tchar)) return false;
      continue;
    }
    const auto is_text = [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); };
    for (;;) {
      if (text.empty() || !is_text(text.front())) return false;
      const char c = text.front();
      text.remove_prefix(1);
      if (c == '"') break;
      if (c != '\\') continue;
      if (text.empty() || !is_text(text.front())) return false;
      text.remove_prefix(1);
    }
  }
  return true;
}

/// The body at the front of `bytes`, but for the trailers, which are only found; nothing if there is none. The extensions of its chunks
/// take at most `extensions_most` bytes more than its content so far.
std::optional<Decoded> decode(std::string_view bytes, std::size_t extensions_most) {
  Decoded body;
  std::string_view text = bytes;
  std::size_t extensions = 0;
  for (;;) {
    const auto digits = take(text, [](char c) { return gw::detail::hex_value(c) >= 0; });
    if (!digits || digits->size() > 16) return std::nullopt;
    const std::size_t before = text.size();
    if (!take_extensions(text)) return std::nullopt;
    extensions += before - text.size();
    if (extensions > extensions_most + body.content.size() || !take_text(text, "\r\n")) return std::nullopt;
    const std::uint64_t size = std::stoull(std::string(*digits), nullptr, 16);
    if (size == 0) break;
    if (size > text.size()) return std::nullopt;
    body.content.append(text.substr(0, size));
    text.remove_prefix(size);
    if (!take_text(text, "\r\n")) return std::nullopt;
  }
  const std::size_t end = text.starts_with("\r\n") ? 0 : text.find("\r\n\r\n");
  if (end == text.npos) return std::nullopt;
  body.trailers = text.substr(0, end > 0 ? end + 2 : 0);
  body.end = bytes.size() - text.size() + body.trailers.size() + 2;
  return body;
}

struct Read {
  bool ended = false;
  std::string content;
  std::string trailers;  ///< as they would be sent on
  std::size_t end = 0;
};

template <class Codec>
Read read_body(Codec& codec, std::string_view bytes, wire::Fragments fragments) {
  Read read;
  wire::Connection connection(bytes, fragments);
  for (;;) {
    const auto piece = codec.body(connection.available());
    if (!piece) return read;
    read.content += piece->content;
    connection.consume(piece->consumed);
    read.ended = piece->ended;
    if (read.ended) break;
    if (piece->content.empty() && !connection.receive()) return read;
  }
  for (const auto& [name, value] : codec.trailers()) gw::proxy::append_field(read.trailers, name, value);
  read.end = bytes.size() - connection.rest().size();
  return read;
}

void begin(gw::h1::RequestCodec& codec) {
  gw::Request request;
  codec.reset();
  wire::require(codec.head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request).has_value(), "a head");
}

void begin(gw::h1::ResponseCodec& codec) {
  gw::Response response;
  codec.reset(gw::Method::get);
  wire::require(codec.head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", response).has_value(), "a head");
}

template <class Codec>
void check(const wire::Input& input) {
  gw::Limits limits;  // those of the input are for heads
  if (input.chooses(6)) limits.fields = 3;
  if (input.chooses(7)) limits.chunk_extensions = 8;
  Codec codec(limits);
  begin(codec);
  const Read whole = read_body(codec, input.bytes, wire::whole);
  begin(codec);
  const Read split = read_body(codec, input.bytes, input.fragments());
  wire::require(whole.ended == split.ended && whole.end == split.end && whole.content == split.content && whole.trailers == split.trailers,
                "fragments do not change the meaning");

  const std::optional<Decoded> decoded = decode(input.bytes, limits.chunk_extensions);
  wire::require(!whole.ended || decoded.has_value(), "what is accepted is a chunked body");
  if (decoded && decoded->trailers.empty()) wire::require(whole.ended, "a chunked body is accepted");
  if (!whole.ended) return;
  wire::require(whole.content == decoded->content && whole.end == decoded->end, "content and end are found");
  wire::require(whole.trailers.size() <= decoded->trailers.size() + 2 * limits.fields, "trailers are not made up");

  std::string again;
  if (!whole.content.empty()) {
    gw::h1::append_chunk_head(again, whole.content.size());
    again.append(whole.content).append("\r\n");
  }
  gw::proxy::append_last_chunk(again, codec.trailers());
  Codec second(gw::Limits{});
  begin(second);
  const Read repeated = read_body(second, again, input.fragments());
  wire::require(repeated.ended && repeated.end == again.size() && repeated.content == whole.content && repeated.trailers == whole.trailers,
                "what is passed on means the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const wire::Input input(data, size);
  if (input.chooses(5)) check<gw::h1::ResponseCodec>(input);
  else check<gw::h1::RequestCodec>(input);
  return 0;
}
