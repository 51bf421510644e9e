#include "proxy/endpoint.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

using detail::EndpointAddress;
using Kind = EndpointAddress::Kind;

constexpr std::uint16_t default_port = 80;

std::string authority_of(const std::string& host, std::uint16_t port) {
  const std::string bracketed = host.find(':') == std::string::npos ? host : '[' + host + ']';
  return port == default_port ? bracketed : bracketed + ':' + std::to_string(port);
}

// Who offers a service: the name without the labels that say which (RFC 2782).
std::string domain_of(std::string_view service) {
  while (service.starts_with('_') && service.find('.') != std::string_view::npos) service.remove_prefix(service.find('.') + 1);
  return std::string(service);
}

// The dot at the end is for name servers; few services know themselves by it.
std::string without_dot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return name;
}

std::string host_field_of(const EndpointAddress& a) {
  switch (a.kind) {
    case Kind::host: return authority_of(without_dot(a.name), a.port);
    case Kind::service: return without_dot(domain_of(a.name));
    case Kind::path: break;
  }
  return "localhost";
}

std::uint16_t port_of(const EndpointAddress& a, const net::Target& target) { return target.port ? target.port : a.port; }

std::string name_of(const EndpointAddress& a, const net::Target* target) {
  if (a.kind == Kind::path) return "unix:" + a.name;
  const std::string service = a.kind == Kind::service ? "srv:" + a.name : std::string();
  if (target) return authority_of(target->address.to_string(), port_of(a, *target)) + " (" + (service.empty() ? a.name : service) + ')';
  return service.empty() ? authority_of(a.name, a.port) : service;
}

std::optional<Endpoint::Address> address_of(const EndpointAddress& a, const net::Target* target) {
  if (a.kind == Kind::path) return asio::local::stream_protocol::endpoint(a.name);
  if (target) return asio::ip::tcp::endpoint(target->address, port_of(a, *target));
  std::error_code ec;
  const asio::ip::address literal = asio::ip::make_address(a.name, ec);
  if (a.kind == Kind::service || ec) return std::nullopt;
  return asio::ip::tcp::endpoint(literal, a.port);
}

}  // namespace

Endpoint::Endpoint(const EndpointAddress& configured, const net::Target* target)
    : host_field(host_field_of(configured)), name(name_of(configured, target)), address(address_of(configured, target)) {}

std::shared_ptr<Endpoint> EndpointRegistry::find(const EndpointAddress& configured, const net::Target* target) {
  return endpoints_.find(name_of(configured, target), configured, target);
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
