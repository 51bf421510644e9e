#include "proxy/tunnel.hpp"

#include "proxy/gather.hpp"

#include <asio/co_spawn.hpp>

namespace gw {
inline namespace v0 {
namespace proxy {

Task<> Tunnel::run(End client, End upstream) {
  is_other_running_ = true;
  const auto close_both_if_broken = [this, client, upstream] {
    if (!is_broken_) return;
    client.transport.close();
    upstream.transport.close();
  };
  asio::co_spawn(worker_.io, relay(upstream, client.transport, to_client_), [this, close_both_if_broken](std::exception_ptr thrown) {
    if (thrown) is_broken_ = true;
    close_both_if_broken();
    is_other_running_ = false;
    other_ended_.notify();
  });
  co_await relay(client, upstream.transport, to_upstream_);
  close_both_if_broken();
  while (is_other_running_) co_await other_ended_.wait();
}

Task<> Tunnel::relay(End from, Transport& to, std::uint64_t& count) {
  for (;;) {
    if (!from.buffer.empty()) {
      Gather pieces;
      pieces.add(from.buffer.content());
      const std::error_code ec = co_await pieces.write(to, idle_);
      if (ec || is_broken_) break;
      count += from.buffer.content().size();
      from.buffer.consume(from.buffer.content().size());
      from.buffer.make_room();
    }
    std::error_code ec;
    const std::size_t n = from.transport.read(from.buffer.room(), ec);
    from.buffer.commit(n);
    if (!ec) continue;
    if (ec == asio::error::eof) {
      to.shutdown_write();
      co_return;
    }
    if (ec != asio::error::would_block) break;
    const std::uint64_t moved_before = to_client_ + to_upstream_;
    const Wake wake = co_await from.transport.until(Side::read, idle_);
    if (is_broken_ || (wake == Wake::timed_out && to_client_ + to_upstream_ == moved_before)) break;
  }
  is_broken_ = true;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
