#include "proxy/session.hpp"

#include "proxy/connection.hpp"
#include "proxy/fields.hpp"
#include "proxy/gather.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

void Session::begin(Connection& c, Transport& t) {
  connection = &c;
  transport = &t;
  head_began.reset();
  const Snapshot& s = **worker.snapshot;
  use_gateway_bounds();
  if (codec_of != s.number) codec.emplace(s.limits);
  codec_of = s.number;
  buffer = worker.buffers.take(buffer_size(s.limits.head));
}

void Session::use_gateway_bounds() {
  const Snapshot& s = **worker.snapshot;
  timeouts = s.timeouts;
  body_rate = s.limits.body_rate;
  write_rate = s.limits.write_rate;
}

void Session::end() {
  worker.buffers.give(std::move(buffer));
  buffer = Buffer();
  connection = nullptr;
  transport = nullptr;
}

void Session::answered() { connection->answered(); }

void Session::stalled() { connection->run_stages(); }

std::optional<Chunk> Session::ready() {
  while (!has_ended && !buffer.empty() && !failure) {
    const Result<h1::BodyPiece> piece = codec->body(buffer.content());
    if (!piece) {
      failure = piece.error();
      if (const auto limit = limit_of(failure->code)) worker.counters.reached(*limit);
      break;
    }
    buffer.consume(piece->consumed);
    has_ended = piece->ended;
    detail::ContextAccess::add_bytes_received(exchange.context, piece->content.size());
    if (!piece->content.empty()) return piece->content;
    if (piece->consumed == 0) break;
  }
  return has_ended ? std::optional<Chunk>(Chunk{}) : std::nullopt;
}

Task<Result<Chunk>> Session::read() {
  if (failure) co_return *failure;  // before the client is told to go on
  // Whoever reads the body here, and not an upstream, is the one who wants it (RFC 9110 10.1.1).
  if (is_client_waiting() && !exchange.is_expectation_forwarded()) {
    has_sent_continue = true;
    exchange.context.req.headers.remove("expect");  // it is met
    Gather go_on;
    go_on.add("HTTP/1.1 100 Continue\r\n\r\n");
    const std::error_code ec = co_await go_on.write(*transport, timeouts.client_write);
    if (ec) co_return Failure(Error::client_gone, Origin::client);
  }
  for (;;) {
    if (const std::optional<Chunk> chunk = ready()) co_return *chunk;
    if (failure) co_return *failure;
    if (is_cancelled) co_return Failure(Error::client_gone, Origin::client);
    buffer.make_room();
    std::error_code ec;
    const std::size_t n = transport->read(buffer.room(), ec);
    if (ec == asio::error::would_block) {
      const Duration left = pace.wait(timeouts.client_body, body_rate);
      if (left.count() <= 0 || co_await transport->until(Side::read, left) == Wake::timed_out) {
        failure = Failure(Error::client_timeout, Origin::client);
        worker.counters.reached(pace.has_stalled() ? Limit::client_body : Limit::body_rate);
      }
      pace.resume();
    } else if (ec) {
      failure = Failure(Error::client_gone, Origin::client);
    } else {
      buffer.commit(n);
      pace.moved(n);
    }
  }
}

void Session::cancel() {
  is_cancelled = true;
  transport->interrupt(Side::read);
}

std::optional<std::uint64_t> Session::size() const {
  return codec->framing() == h1::Framing::length ? std::optional(codec->length()) : std::nullopt;
}

void Session::set_bounds(const Bounds& bounds) {
  timeouts.client_body = bounds.client_body;
  timeouts.client_write = bounds.client_write;
  body_rate = bounds.body_rate;
  write_rate = bounds.write_rate;
  has_own_bounds = true;
}

void Session::limit_body(std::uint64_t limit) {
  codec->limit_body(limit);
  if (codec->length() <= limit || failure) return;
  failure = Failure(Error::body_too_large, Origin::client);
  worker.counters.reached(Limit::body);
}

Task<> Session::interim(const Response& response) {
  // HTTP/1.0 knows no interim responses (RFC 9110 15.2).
  if (exchange.context.req.version == Version::http10) co_return;
  if (response.status == 100) has_sent_continue = true;
  HeadText head;
  append_response_head(head, response, {}, {});
  Gather hint;
  hint.add(head.text());
  // An error shows itself when the final response is written.
  co_await hint.write(*transport, timeouts.client_write);
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
