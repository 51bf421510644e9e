/// \file
/// Fuzz target: the grammar of Host and of the authority of a URL, beside one that is written down as RFC 3986 3.2 has it, by itself and
/// in requests.
#include "h1/codec.hpp"
#include "h1/rules.hpp"

#include <arpa/inet.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// 1*( unreserved / pct-encoded / sub-delims ) without the comma, which makes lists.
bool is_reg_name(std::string_view host) {
  if (host.empty()) return false;
  while (!host.empty()) {
    const char c = host.front();
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == '%') {
      if (host.size() < 3 || !is_hex(host[1]) || !is_hex(host[2])) return false;
      host.remove_prefix(3);
    } else if (is_letter || is_digit(c) || std::string_view("-._~!$&'()*+;=").find(c) != std::string_view::npos) {
      host.remove_prefix(1);
    } else {
      return false;
    }
  }
  return true;
}

bool is_ip_literal(std::string_view host) {
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return false;
  const std::string address(host.substr(1, host.size() - 2));
  in6_addr parsed;
  return address.find('\0') == address.npos && inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

bool is_port(std::string_view port) {
  if (port.size() > 5) return false;
  for (const char c : port)
    if (!is_digit(c)) return false;
  return port.empty() || std::stoi(std::string(port)) <= 65535;
}

bool is_authority(std::string_view text) {
  // The last colon outside brackets begins the port.
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != text.npos && text.find(']', colon) == text.npos;
  const std::string_view host = has_port ? text.substr(0, colon) : text;
  return (is_reg_name(host) || is_ip_literal(host)) && (!has_port || is_port(text.substr(colon + 1)));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Whether the request `head` is read; it must ask `authority` then.
bool reads(const std::string& head, std::string_view authority) {
  gw::h1::RequestCodec codec(gw::Limits{});
  gw::Request request;
  const auto size = codec.head(head, request);
  if (!size || *size == 0) return false;
  GW_ASSERT(*size == head.size() && request.authority() == authority);
  GW_ASSERT(request.headers["host"] == authority && request.headers.count("host") == 1);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size < 4096 ? size : 4096);
  const bool expected = is_authority(text);
  GW_ASSERT(gw::h1::is_authority(text) == expected);

  // Line ends make other messages of it, and "/", "?" end the authority of a URL.
  if (text.find_first_of("\r\n") != text.npos) return 0;
  const std::string value(text);
  GW_ASSERT(reads("GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n", trimmed(text)) == is_authority(trimmed(text)));
  if (text.find_first_of("/? ") != text.npos) return 0;
  GW_ASSERT(reads("GET http://" + value + "/x HTTP/1.1\r\nHost: other\r\n\r\n", text) == expected);
  return 0;
}
