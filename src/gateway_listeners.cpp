/// \file
/// Level 5: the part of a gateway's state that is about where it listens, and whom it lets in.
#include "gateway_state.hpp"

#include "net/socket_transport.hpp"
#include "proxy/connection.hpp"

#include <gw/detail/address.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace gw {
inline namespace v0 {

namespace {

// Over the limit: say so quickly, without a session.
void shed(proxy::Worker& worker, int socket, proxy::Limit why) {
  worker.counters.reached(why);
  static constexpr std::string_view response =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 56\r\nConnection: close\r\n\r\n"
      "{\"message\":\"the gateway is overloaded; try again later\"}";
  ::send(socket, response.data(), response.size(), MSG_NOSIGNAL);
  ::shutdown(socket, SHUT_WR);
  // What has arrived and is not read would turn the close into a reset, which can destroy the answer (RFC 9112 9.6).
  char sink[4096];
  for (int i = 0; i < 16 && ::recv(socket, sink, sizeof sink, MSG_DONTWAIT) > 0; ++i) continue;
  ::close(socket);
}

// No descriptor is left for this connection.
void refuse(proxy::Worker& worker, int socket) {
  shed(worker, socket, proxy::Limit::descriptors);
  worker.shared.out_of_descriptors();
}

// An address without a zone, which means nothing elsewhere.
IpAddress ip_address(const asio::ip::address& address) {
  return address.is_v4() ? IpAddress::v4(address.to_v4().to_uint()) : IpAddress::v6(address.to_v6().to_bytes());
}

void admit(proxy::Worker& worker, int socket, const asio::ip::tcp::endpoint& peer, std::shared_ptr<const proxy::ListenerState> listener) {
  const Limits& limits = (*worker.snapshot)->limits;
  if (worker.shared.connections.load(std::memory_order_relaxed) >= limits.connections) return shed(worker, socket, proxy::Limit::connections);
  const IpAddress address = ip_address(peer.address());
  proxy::ClientTable::Slot slot;
  // Behind a proxy that is trusted are many clients.
  if (!listener->trusted || !listener->trusted->contains(address)) {
    slot = worker.shared.clients.enter(address, limits.connections_per_client);
    if (!slot) return shed(worker, socket, proxy::Limit::connections_per_client);
  }
  proxy::Connection::Origin origin{address.to_string(), std::move(listener), std::move(slot)};
  proxy::Connection::start(worker, net::SocketTransport::adopt(socket, worker.loop()), std::move(origin));
}

// The address of a listener that was checked.
asio::ip::tcp::endpoint address_of(const ListenConfig& listen) {
  const std::optional<detail::HostPort> address = detail::parse_listen(listen.address);
  GW_ASSERT(address.has_value());
  return {asio::ip::make_address(address->host), address->port};
}

}  // namespace

std::string to_text(const asio::ip::tcp::endpoint& address) {
  const std::string ip = address.address().to_string();
  return (address.address().is_v6() ? '[' + ip + ']' : ip) + ':' + std::to_string(address.port());
}

std::shared_ptr<const Networks> networks_of(const std::vector<std::string>& texts) {
  if (texts.empty()) return nullptr;
  std::vector<Network> networks;
  for (const std::string& text : texts) {
    const std::optional<Network> network = Network::parse(text);
    GW_ASSERT(network.has_value());
    networks.push_back(*network);
  }
  return std::make_shared<const Networks>(networks);
}

std::vector<Gateway::State::Listening> Gateway::State::open_listeners(const Config& next, Problems& problems) {
  std::vector<Listening> opened;
  for (std::size_t i = 0; i < next.listen.size(); ++i) {
    const ListenConfig& wanted = next.listen[i];
    const Address address = address_of(wanted);
    const bool is_open = std::any_of(listening_.begin(), listening_.end(), [&](const Listening& l) { return l.configured == address; });
    if (is_open) continue;
    try {
      Listening l{address, address, wanted.options.trusted, {}, {}};
      const std::shared_ptr<const Networks> trusted = networks_of(l.trusted);
      {
        const net::Reservation reserved(l.bound);
        l.bound = reserved.address();
        for (const auto& w : workers_) {
          proxy::Worker& worker = w->worker();
          const auto state = l.states.emplace_back(std::make_shared<proxy::ListenerState>());
          state->port = l.bound.port();
          if (trusted) state->trust(trusted);
          l.sockets.push_back(std::make_shared<net::Listener>(
              worker.io, shared.spare, l.bound, [&worker, state](int socket, const Address& peer) { admit(worker, socket, peer, state); },
              [&worker](int socket) { refuse(worker, socket); }));
        }
      }
      for (const auto& socket : l.sockets) socket->listen();
      opened.push_back(std::move(l));
    } catch (const std::system_error& e) {
      Place place = wanted.place;
      if (place.path.empty()) place.path = "listen[" + std::to_string(i) + ']';
      problems.push_back({place, "cannot listen on " + wanted.address + ": " + e.code().message()});
    }
  }
  if (!problems.empty()) return {};
  for (Listening& l : opened)
    for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->post([socket = l.sockets[i]] { socket->accept(); });
  return opened;
}

// Goes on with the listeners that `next` still has and those that were opened for it; the others close.
void Gateway::State::use_listeners(const Config& next, std::vector<Listening> opened) {
  std::vector<Listening> kept;
  for (Listening& l : listening_) {
    const auto wanted = std::find_if(next.listen.begin(), next.listen.end(), [&](const ListenConfig& w) { return address_of(w) == l.configured; });
    if (wanted == next.listen.end()) {
      close(l);
      continue;
    }
    trust(l, wanted->options.trusted);
    kept.push_back(std::move(l));
  }
  for (Listening& l : opened) kept.push_back(std::move(l));
  listening_ = std::move(kept);
}

// Makes sure that the admin listener of `next` is open. The one before stays until it is in use.
void Gateway::State::listen_for_admin(const Config& next, const proxy::Snapshot& compiled, Problems& problems) {
  if (next.admin.address.empty()) return;
  const bool is_new = !admin_;
  try {
    if (is_new) {
      admin_ = std::make_unique<Admin>(shared.metrics, shared.log);
      admin_->publish(next, compiled);
    }
    admin_->listen(next.admin);
  } catch (const ConfigError& e) {
    if (is_new) admin_.reset();
    problems.insert(problems.end(), e.problems().begin(), e.problems().end());
  }
}

void Gateway::State::close(Listening& l) {
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->post([socket = l.sockets[i]] { socket->close(); });
}

// Whom the listener trusts from now on, also on connections that are open.
void Gateway::State::trust(Listening& l, std::vector<std::string> trusted) {
  if (l.trusted == trusted) return;
  l.trusted = std::move(trusted);
  const std::shared_ptr<const Networks> networks = networks_of(l.trusted);
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->post([state = l.states[i], networks] { state->trust(networks); });
}

std::uint16_t Gateway::State::admin_port() const {
  const std::lock_guard lock(change_);
  return admin_ ? admin_->port() : std::uint16_t{0};
}

asio::ip::tcp::endpoint Gateway::State::first_address() const {
  const std::lock_guard lock(change_);
  return listening_.empty() ? Address() : listening_.front().bound;
}

}  // namespace v0
}  // namespace gw
