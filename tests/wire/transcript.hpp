/// \file
/// Wire text in, a transcript of what the codecs made of it out. The unit tests compare transcripts
/// with tables, the fuzz target compares transcripts of different fragments.
#pragma once

#include "h1/codec.hpp"
#include "h1/parser.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace wire {

/// Aborts: a codec that breaks its contract towards its caller has no transcript.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "codec contract broken: %s\n", what);
  std::abort();
}

/// Bytes as one line of printable ASCII, with C's escapes.
inline std::string escape(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c == '\r') out += "\\r";
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (c == '\\') out += "\\\\";
    else if (c >= 0x20 && c < 0x7f) out += c;
    else {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += hex;
    }
  }
  return out;
}

/// The bytes of a line that `escape` could have written.
inline std::string unescape(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      out += line[i];
      continue;
    }
    require(++i < line.size(), "an escape is complete");
    switch (line[i]) {
      case 'r': out += '\r'; break;
      case 'n': out += '\n'; break;
      case 't': out += '\t'; break;
      case 'x':
        require(i + 2 < line.size(), "\\x has two digits");
        out += static_cast<char>(std::strtol(std::string(line.substr(i + 1, 2)).c_str(), nullptr, 16));
        i += 2;
        break;
      default: out += line[i];
    }
  }
  return out;
}

/// The sizes of fragments, one after the other.
class Fragments {
 public:
  Fragments(std::size_t each) : each_(each) {}
  /// As large as the bytes of `sizes` say, plus 1, again and again; everything at once if there are none.
  explicit Fragments(std::string_view sizes) : each_(sizes.empty() ? static_cast<std::size_t>(-1) : 0), sizes_(sizes) {}

  std::size_t next() { return each_ > 0 ? each_ : static_cast<unsigned char>(sizes_[at_++ % sizes_.size()]) + std::size_t{1}; }

 private:
  std::size_t each_;
  std::string_view sizes_;
  std::size_t at_ = 0;
};

/// A connection that delivers `bytes` in fragments. What is available is copied to memory of its
/// own each time, so that a sanitizer sees every read outside and every view that is kept too long.
class Connection {
 public:
  Connection(std::string_view bytes, Fragments fragments) : bytes_(bytes), fragments_(fragments) {}

  /// Receives another fragment; false if there is none.
  bool receive() {
    if (received_ == bytes_.size()) return false;
    received_ += std::min(fragments_.next(), bytes_.size() - received_);
    return true;
  }
  /// What was received and not consumed; lives until the next call.
  std::string_view available() {
    const std::size_t size = received_ - consumed_;
    copy_.reset(new char[size]);
    std::copy_n(bytes_.data() + consumed_, size, copy_.get());
    return {copy_.get(), size};
  }
  void consume(std::size_t size) {
    require(size <= received_ - consumed_, "no more is consumed than was given");
    consumed_ += size;
  }
  std::string_view rest() const { return bytes_.substr(consumed_); }

 private:
  std::string_view bytes_;
  Fragments fragments_;
  std::size_t received_ = 0;
  std::size_t consumed_ = 0;
  std::unique_ptr<char[]> copy_;
};

/// One line per event. Lines that begin with "field" can be left out with `without_fields`.
class Transcript {
 public:
  std::string text;

  void line(std::string_view what) { text.append(what).append("\n"); }
  void fields(std::string_view kind, const gw::Headers& headers) {
    for (const gw::Headers::Field& f : headers) line(std::string(kind) + " " + escape(f.name) + ": " + escape(f.value));
  }
  void failure(const gw::Failure& failure, gw::Origin origin) {
    require(failure.origin == origin, "a failure names who caused it");
    line("error " + std::string(gw::name_of(failure.code)));
  }
};

inline std::string without_fields(std::string_view transcript) {
  std::string out;
  while (!transcript.empty()) {
    const std::size_t end = transcript.find('\n') + 1;
    if (transcript.substr(0, 6) != "field ") out += transcript.substr(0, end);
    transcript.remove_prefix(end);
  }
  return out;
}

inline std::string framing_text(gw::h1::Framing framing, std::uint64_t length) {
  switch (framing) {
    case gw::h1::Framing::length: return "length=" + std::to_string(length);
    case gw::h1::Framing::chunked: return "chunked";
    case gw::h1::Framing::until_close: return "until_close";
    case gw::h1::Framing::none: break;
  }
  return "none";
}

inline std::string version_text(gw::Version version) { return version == gw::Version::http10 ? "1.0" : "1.1"; }

/// Requires that llhttp accepts a head that a codec has accepted, and finds the same end of the message: docs/design/007.
inline void require_second_opinion(gw::h1::Parser::Kind kind, std::string_view head, gw::h1::Framing framing, std::uint64_t length) {
  gw::h1::Parser parser(kind);
  parser.expect(framing, length);
  require(parser.feed(head) && parser.has_accepted_head(), "llhttp frames a message as gw does");
}

/// Reads a head with `codec`; false after a failure or if bytes are missing.
template <class Codec, class Message>
bool read_head(Codec& codec, Connection& connection, Message& message, gw::Origin origin, Transcript& out) {
  using Kind = gw::h1::Parser::Kind;
  for (;;) {
    const std::string_view input = connection.available();
    const auto size = codec.head(input, message);
    if (!size) return out.failure(size.error(), origin), false;
    if (*size > 0) {
      require_second_opinion(origin == gw::Origin::client ? Kind::request : Kind::response, input.substr(0, *size), codec.framing(), codec.length());
      return connection.consume(*size), true;
    }
    if (!connection.receive()) return out.line("more"), false;
  }
}

/// Reads a body with `codec`; false after a failure or if bytes are missing.
template <class Codec>
bool read_body(Codec& codec, Connection& connection, gw::Origin origin, bool closes, Transcript& out) {
  std::string content;
  const auto finish = [&] {
    if (!content.empty()) out.line("body " + escape(content));
  };
  for (;;) {
    const std::string_view input = connection.available();
    const auto piece = codec.body(input);
    // Who has no bytes left waits for more; an error behind content must not wait with it.
    require(piece || !input.empty() || content.empty(), "what is wrong is not consumed before it is told");
    if (!piece) return finish(), out.failure(piece.error(), origin), false;
    const std::string_view c = piece->content;
    require(c.empty() || (c.data() >= input.data() && c.data() + c.size() <= input.data() + piece->consumed), "content is consumed input");
    require(piece->ended || !c.empty() || piece->consumed == input.size(), "a step ends, has content or takes everything");
    content += c;
    connection.consume(piece->consumed);
    if (piece->ended) break;
    if (!c.empty() || connection.receive()) continue;
    if constexpr (requires { codec.end_of_input(); }) {
      if (closes) {
        const auto ended = codec.end_of_input();
        if (ended) continue;
        return finish(), out.failure(ended.error(), origin), false;
      }
    }
    return finish(), out.line("more"), false;
  }
  const auto again = codec.body(connection.available());
  require(again && again->ended && again->consumed == 0, "what follows a message is left alone");
  finish();
  out.fields("trailer", codec.trailers());
  out.line("end");
  return true;
}

/// The bytes of a head that means what `request` means.
inline std::string serialised(const gw::Request& request) {
  std::string out(gw::to_string(request.method));
  out.append(" ").append(request.target()).append(" HTTP/").append(version_text(request.version)).append("\r\n");
  for (const gw::Headers::Field& f : request.headers) out.append(f.name).append(": ").append(f.value).append("\r\n");
  return out.append("\r\n");
}

inline std::string request_line(const gw::h1::RequestCodec& codec, const gw::Request& request) {
  require(request.target() == std::string(request.path()) + (request.has_query() ? "?" + std::string(request.query()) : ""),
          "path and query make the target");
  std::string out = "request " + std::string(gw::to_string(request.method)) + " " + std::string(request.target()) + " " +
                    version_text(request.version) + " " + (request.authority().empty() ? "-" : std::string(request.authority())) + " " +
                    framing_text(codec.framing(), codec.length()) + (codec.keep_alive() ? " keep" : " close");
  if (codec.expects_continue()) out += " continue";
  if (codec.wants_upgrade()) out += " upgrade";
  return out;
}

/// Reads `bytes` as requests until something is wrong, missing, or nothing is left.
inline std::string read_requests(std::string_view bytes, Fragments fragments, const gw::Limits& limits = {}) {
  Transcript out;
  Connection connection(bytes, fragments);
  gw::h1::RequestCodec codec(limits);
  gw::h1::RequestCodec second(limits);
  gw::Request request;
  gw::Request copy;
  do {
    codec.reset();
    if (!read_head(codec, connection, request, gw::Origin::client, out)) break;
    const std::string line = request_line(codec, request);
    out.line(line);
    out.fields("field", request.headers);

    const std::string head = serialised(request);
    // Canonical spacing may make a head longer than it was.
    if (head.size() <= limits.head && request.target().size() <= limits.target) {
      second.reset();
      const auto size = second.head(head, copy);
      require(size && *size == head.size() && request_line(second, copy) == line, "a head that was accepted is accepted again");
    }
    if (!read_body(codec, connection, gw::Origin::client, false, out)) break;
  } while (!connection.rest().empty());
  return out.text;
}

/// Reads `bytes` as the responses to requests with `method`; `closes`: the connection closes after
/// them. What follows a 101 is not HTTP any more.
inline std::string read_responses(std::string_view bytes, Fragments fragments, gw::Method method, bool closes,
                                  const gw::Limits& limits = {}) {
  Transcript out;
  Connection connection(bytes, fragments);
  gw::h1::ResponseCodec codec(limits);
  gw::Response response;
  codec.reset(method);
  do {
    if (!read_head(codec, connection, response, gw::Origin::upstream, out)) break;
    out.line("response " + std::to_string(response.status) + " " + version_text(codec.version()) + " " +
             framing_text(codec.framing(), codec.length()) + (codec.keep_alive() ? " keep" : " close"));
    out.fields("field", response.headers);
    if (!read_body(codec, connection, gw::Origin::upstream, closes, out)) break;
    if (response.status == 101) {
      out.line("rest " + escape(connection.rest()));
      break;
    }
    if (response.status < 200) codec.next_head();
    else codec.reset(method);
  } while (!connection.rest().empty());
  return out.text;
}

}  // namespace wire
