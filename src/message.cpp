#include <gw/message.hpp>

#include <algorithm>
#include <stdexcept>

namespace gw {
inline namespace v0 {

namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::string_view text_type = "text/plain; charset=utf-8";

bool is_target(std::string_view text) noexcept {
  const bool is_visible = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  return is_visible && (text == "*" || text.substr(0, 1) == "/");
}

int checked(int status) {
  if (status < 200 || status > 599) throw std::invalid_argument("response status is not in 200..599: " + std::to_string(status));
  return status;
}

/// `text` as the inside of a JSON string (RFC 8259 7).
std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out.append({'\\', c});
    else if (byte < 0x20) out.append({'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]});
    else out += c;
  }
  return out;
}

/// The phrase of `status`; of its class if it has none of its own (RFC 9110 15).
std::string_view phrase_of(int status) noexcept {
  const std::string_view own = reason_phrase(status);
  return own.empty() ? reason_phrase(status / 100 * 100) : own;
}

}  // namespace

Request::Request(Method m, std::string_view target, Body content) : method(m), body(std::move(content)) {
  if (!is_target(target)) throw std::invalid_argument("request target is neither a path nor \"*\": \"" + std::string(target) + '"');
  parts_.target = arena_.copy(target);
  const std::size_t mark = parts_.target.find('?');
  parts_.has_query = mark != parts_.target.npos;
  parts_.path = parts_.target.substr(0, mark);
  if (parts_.has_query) parts_.query = parts_.target.substr(mark + 1);
}

void Request::clear() noexcept {
  method = Method::get;
  version = Version::http11;
  headers.clear();
  body.clear();
  arena_.clear();
  parts_ = {};
}

Response::Response(int status_code) : status(checked(status_code)) {
  if (status >= 400) *this = error(status, phrase_of(status));
}

Response::Response(int status_code, std::string text) : status(checked(status_code)), body(std::move(text)) {
  headers.borrow("content-type", text_type);
}

Response::Response(std::string text) : Response(200, std::move(text)) {}

Response::Response(Json json) : Response(200, std::move(json)) {}

Response::Response(int status_code, Json json) : status(checked(status_code)), body(std::move(json.text())) {
  headers.borrow("content-type", json_type);
}

Response Response::error(int status_code, std::string_view message) {
  return Response(status_code, Json("{\"message\":\"" + escaped(message) + "\"}"));
}

void Response::clear() noexcept {
  status = 200;
  headers.clear();
  body.clear();
}

}  // namespace v0
}  // namespace gw
