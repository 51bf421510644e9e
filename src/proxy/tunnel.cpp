#include "proxy/tunnel.hpp"

#include <asio/co_spawn.hpp>

#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

// A buffer of the worker's store, which gets it back however a direction ends.
class Held {
 public:
  explicit Held(BufferStore& store) : store_(store) {}
  ~Held() { give(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  Buffer& take(std::size_t capacity) { return buffer_ = store_.take(capacity); }
  void give() { store_.give(std::exchange(buffer_, Buffer())); }

 private:
  BufferStore& store_;
  Buffer buffer_;
};

}  // namespace

Task<> Tunnel::run() {
  worker_.counters.tunnels.up();
  start(client_, upstream_, to_upstream_);
  start(upstream_, client_, to_client_);
  while (running_ > 0) co_await ended_.wait();
  worker_.counters.tunnels.down();
}

void Tunnel::start(End& from, End& to, std::uint64_t& count) {
  ++running_;
  asio::co_spawn(worker_.io, relay(from, to, count), [this](std::exception_ptr thrown) {
    if (thrown) cut(Failure(Error::handler_failed));
    if (--running_ == 0) ended_.notify();
  });
}

void Tunnel::cut(Failure failure) {
  if (failure_) return;
  failure_ = failure;
  // Whoever waits for them wakes up.
  client_.transport.reset();
  upstream_.transport.reset();
}

Task<> Tunnel::relay(End& from, End& to, std::uint64_t& count) {
  const std::size_t capacity = from.early.capacity();
  std::string_view rest = from.early.content();
  Held held(worker_.buffers);
  for (;;) {
    // 1. Write what was read.
    while (!rest.empty()) {
      const asio::const_buffer piece(rest.data(), rest.size());
      std::error_code ec;
      const std::size_t n = to.transport.write({&piece, 1}, ec);
      if (ec && ec != asio::error::would_block) co_return cut(to.broken);
      count += n;
      rest.remove_prefix(n);
      if (ec && !co_await is_ready(to.transport, Side::write)) co_return;
    }
    held.give();

    // 2. Wait for more.
    if (!co_await is_ready(from.transport, Side::read)) co_return;

    // 3. Read it.
    Buffer& buffer = held.take(capacity);
    std::error_code ec;
    const std::size_t n = from.transport.read(buffer.room(), ec);
    buffer.commit(n);
    rest = buffer.content();
    if (ec == asio::error::eof) break;
    if (ec && ec != asio::error::would_block) co_return cut(from.broken);
  }
  to.transport.shutdown_write();
}

// Waits until a side is worth trying again. False if the tunnel is cut, which it is if nothing moves for too long.
Task<bool> Tunnel::is_ready(Transport& transport, Side side) {
  for (;;) {
    const std::uint64_t moved_before = to_client_ + to_upstream_;
    const Wake wake = co_await transport.until(side, idle_);
    if (failure_) co_return false;
    if (wake != Wake::timed_out) co_return true;
    if (to_client_ + to_upstream_ == moved_before) cut(Failure(Error::tunnel_timeout));
    if (failure_) co_return false;
  }
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
