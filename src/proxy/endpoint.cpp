#include "proxy/endpoint.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

constexpr std::uint16_t default_port = 80;

std::string host_field_of(const detail::HostPort& a) {
  const std::string host = a.host.find(':') == std::string::npos ? a.host : '[' + a.host + ']';
  return a.port == default_port ? host : host + ':' + std::to_string(a.port);
}

std::optional<asio::ip::address> literal_of(const std::string& host) {
  std::error_code ec;
  const asio::ip::address address = asio::ip::make_address(host, ec);
  return ec ? std::nullopt : std::optional(address);
}

}  // namespace

Endpoint::Endpoint(detail::HostPort a) : address(std::move(a)), host_field(host_field_of(address)), literal(literal_of(address.host)) {}

std::shared_ptr<Endpoint> EndpointRegistry::find(const detail::HostPort& address) {
  const std::lock_guard lock(mutex_);
  std::erase_if(endpoints_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Endpoint>& known = endpoints_[address.host + ' ' + std::to_string(address.port)];
  std::shared_ptr<Endpoint> endpoint = known.lock();
  if (!endpoint) known = endpoint = std::make_shared<Endpoint>(address);
  return endpoint;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
