#include "h1/codec.hpp"

#include <charconv>
#include <limits>

namespace gw {
inline namespace v0 {
namespace h1 {

namespace {

Failure client_failure(Error error) noexcept { return Failure(error, Origin::client); }

/// The upstream's mistakes are one to the client: only their size is worth telling apart.
Failure upstream_failure(Error error) noexcept {
  const bool is_size = error == Error::head_too_large || error == Error::too_many_fields || error == Error::trailers_too_large;
  return Failure(is_size ? Error::response_too_large : Error::bad_response, Origin::upstream);
}

/// Whether a field that frames the message is written as everybody reads it: with no white space around its value but one space before
/// it. The field lies in a head as it was received.
bool is_plain(std::string_view name, std::string_view value) noexcept {
  const char* const colon = name.data() + name.size();
  const bool is_tight = value.data() == colon + 1 || (value.data() == colon + 2 && colon[1] == ' ');
  return is_tight && value.data()[value.size()] == '\r';
}

Version version_of(const HeadGuard& guard) noexcept { return guard.minor_version() == 0 ? Version::http10 : Version::http11; }

/// Takes notice of the fields that both kinds of message have for framing.
std::optional<Error> note_framing_field(FramingFields& fields, FieldKind kind, std::string_view value) {
  switch (kind) {
    case FieldKind::connection: fields.note_connection(value); break;
    case FieldKind::content_length: return fields.note_content_length(value);
    case FieldKind::transfer_encoding: return fields.note_transfer_encoding(value);
    default: break;
  }
  return std::nullopt;
}

}  // namespace

RequestCodec::RequestCodec(const Limits& limits)
    : guard_(HeadGuard::Kind::request, limits), content_(Parser::Kind::request, limits, limits.body) {}

void RequestCodec::reset() noexcept {
  guard_.reset();
  content_.reset();
  fields_ = {};
  has_host_ = has_upgrade_ = expects_continue_ = false;
}

Result<std::size_t> RequestCodec::head(std::string_view bytes, Request& request) {
  const HeadGuard::Scan scan = guard_.scan(bytes);
  if (scan.error) return client_failure(*scan.error);
  if (scan.end == 0) return std::size_t{0};
  if (const auto error = read_head(bytes.substr(0, scan.end), request)) return client_failure(*error);
  return scan.end;
}

std::optional<Error> RequestCodec::read_head(std::string_view head, Request& request) {
  request.clear();
  request.version = version_ = version_of(guard_);
  if (const auto error = read_start_line(head, request)) return error;
  if (const auto error = read_fields(head, request)) return error;
  if (const auto error = fields_.conflict(version_)) return error;

  const std::uint64_t length = fields_.content_length().value_or(0);
  const Framing framing = fields_.chunked() ? Framing::chunked : fields_.content_length() ? Framing::length : Framing::none;
  // RFC 9110 9.3.2, 9.3.8: a server that expects none there may take the content for the next request.
  const bool has_content = framing == Framing::chunked || length > 0;
  if (has_content && (request.method == Method::head || request.method == Method::trace)) return Error::unexpected_content;
  expects_continue_ = expects_continue_ && has_content;
  return content_.start(guard_, head, framing, length);
}

std::optional<Error> RequestCodec::read_start_line(std::string_view head, Request& request) {
  const auto method = parse_method(guard_.method().of(head));
  // A tunnel to wherever the client wants is not what a gateway offers.
  if (!method || *method == Method::connect) return Error::unknown_method;
  const auto target = read_target(*method, guard_.target().of(head), target_text_);
  if (!target) return Error::bad_target;
  request.method = *method;
  target_ = *target;
  return std::nullopt;
}

std::optional<Error> RequestCodec::read_fields(std::string_view head, Request& request) {
  for (const FieldSpan& field : guard_.fields()) {
    const std::string_view name = field.name.of(head);
    std::string_view value = field.value.of(head);
    const FieldKind kind = kind_of(name);
    if (const auto error = note_field(kind, name, value)) return error;
    // RFC 9110 10.1.1: ignored in HTTP/1.0, also by whoever is asked in 1.1 because of it.
    if (kind == FieldKind::expect && version_ == Version::http10) continue;
    if (kind == FieldKind::host && !target_.authority.empty()) value = target_.authority;
    request.headers.borrow(name, value);
  }
  if (!has_host_ && version_ == Version::http11) return Error::bad_host;
  if (!has_host_ && !target_.authority.empty()) request.headers.borrow("Host", target_.authority);
  const std::string_view authority = target_.authority.empty() && has_host_ ? host_ : target_.authority;
  request.borrow_target(target_.text, target_.path, target_.query, target_.has_query, authority);
  return std::nullopt;
}

std::optional<Error> RequestCodec::note_field(FieldKind kind, std::string_view name, std::string_view value) {
  switch (kind) {
    case FieldKind::host: return note_host(value);
    case FieldKind::expect: return note_expectation(value);
    case FieldKind::upgrade: has_upgrade_ = has_upgrade_ || !value.empty(); return std::nullopt;
    case FieldKind::content_length:
      if (!is_plain(name, value)) return Error::bad_content_length;
      break;
    case FieldKind::transfer_encoding:
      if (!is_plain(name, value)) return Error::bad_transfer_encoding;
      break;
    default:
      // With "_" they are no such field to gw, and one to others.
      if (is_named(name, "content-length")) return Error::bad_content_length;
      if (is_named(name, "transfer-encoding")) return Error::bad_transfer_encoding;
  }
  return note_framing_field(fields_, kind, value);
}

std::optional<Error> RequestCodec::note_host(std::string_view value) noexcept {
  if (has_host_ || !is_authority(value)) return Error::bad_host;
  has_host_ = true;
  host_ = value;
  return std::nullopt;
}

std::optional<Error> RequestCodec::note_expectation(std::string_view value) noexcept {
  if (version_ == Version::http10) return std::nullopt;
  if (!iequals(value, "100-continue")) return Error::unsupported_expectation;
  expects_continue_ = true;
  return std::nullopt;
}

Result<BodyPiece> RequestCodec::body(std::string_view bytes) {
  BodyPiece piece;
  if (const auto error = content_.read(bytes, piece)) return client_failure(*error);
  return piece;
}

ResponseCodec::ResponseCodec(const Limits& limits)
    : guard_(HeadGuard::Kind::response, limits),
      content_(Parser::Kind::response, limits, std::numeric_limits<std::uint64_t>::max()) {}

void ResponseCodec::reset(Method of_request) noexcept {
  of_request_ = of_request;
  guard_.reset();
  content_.reset();
  fields_ = {};
  head_complete_ = false;
}

Result<std::size_t> ResponseCodec::head(std::string_view bytes, Response& response) {
  const HeadGuard::Scan scan = guard_.scan(bytes);
  if (scan.error) return upstream_failure(*scan.error);
  if (scan.end == 0) return std::size_t{0};
  if (const auto error = read_head(bytes.substr(0, scan.end), response)) return upstream_failure(*error);
  head_complete_ = true;
  return scan.end;
}

std::optional<Error> ResponseCodec::read_head(std::string_view head, Response& response) {
  response.clear();
  response.status = status_ = guard_.status();
  version_ = version_of(guard_);
  for (const FieldSpan& field : guard_.fields()) {
    const std::string_view name = field.name.of(head);
    const std::string_view value = field.value.of(head);
    if (const auto error = note_framing_field(fields_, kind_of(name), value)) return error;
    response.headers.borrow(name, value);
  }
  if (const auto error = fields_.conflict(version_)) return error;
  if (status_ < 200 && announces_content()) return Error::bad_response;
  const Framing framing = find_framing();
  return content_.start(guard_, head, framing, framing == Framing::length ? fields_.content_length().value_or(0) : 0);
}

/// RFC 9112 6.3, in its order.
Framing ResponseCodec::find_framing() const noexcept {
  if (of_request_ == Method::head || status_ < 200 || status_ == 204 || status_ == 304) return Framing::none;
  if (fields_.chunked()) return Framing::chunked;
  return fields_.content_length() ? Framing::length : Framing::until_close;
}

bool ResponseCodec::keep_alive() const noexcept {
  return fields_.persistent(version_) && framing() != Framing::until_close && status_ != 101 && !(status_ == 204 && announces_content());
}

Result<BodyPiece> ResponseCodec::body(std::string_view bytes) {
  BodyPiece piece;
  if (const auto error = content_.read(bytes, piece)) return upstream_failure(*error);
  return piece;
}

Result<> ResponseCodec::end_of_input() noexcept {
  if (head_complete_ && content_.end_of_input()) return {};
  return Failure(Error::upstream_reset, Origin::upstream);
}

void append_chunk_head(std::string& out, std::uint64_t size) {
  char text[18];
  char* end = std::to_chars(text, text + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(text, end);
}

}  // namespace h1
}  // namespace v0
}  // namespace gw
