#include "proxy/connection.hpp"

#include "proxy/fields.hpp"
#include "proxy/gather.hpp"
#include "proxy/tunnel.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>

#include <algorithm>

namespace gw {
inline namespace v0 {
namespace proxy {

using detail::ContextAccess;

namespace {

// How long an upstream may take before the client is watched for leaving: most answers are there
// sooner, and watching costs a system call.
constexpr auto patience = std::chrono::milliseconds(100);
// After the last response the client gets this long to read it, before unread bytes of its own turn
// the close into a reset that would destroy it (RFC 9112 9.6).
constexpr auto lingering = std::chrono::milliseconds(1000);
// A client that sends one request behind the other gets so many answers, then other connections have their turn. It also bounds
// how deep the functions that go on behind a request can nest.
constexpr int answered_in_a_row = 16;
constexpr Duration watch_forever = std::chrono::hours(24);

bool is_client_gone(const Context& c) { return c.failure() && c.failure()->code == Error::client_gone; }

}  // namespace

Connection::Connection(Worker& worker, std::shared_ptr<Transport> transport, Origin origin)
    : worker_(worker),
      transport_(std::move(transport)),
      origin_(std::move(origin)),
      patience_([](void* self) { static_cast<Connection*>(self)->watch_client(); }, this) {}

Connection::~Connection() {
  transport_->unwatch(Side::read);
  transport_->close();
}

void Connection::start(Worker& worker, std::shared_ptr<Transport> transport, Origin origin) {
  worker.add(std::make_unique<Connection>(worker, std::move(transport), std::move(origin))).idle();
}

void Connection::idle() {
  const Timeouts& t = (*worker_.snapshot)->timeouts;
  transport_->watch(Side::read, is_first_ ? std::min(t.client_header, t.client_idle) : t.client_idle, &Connection::awake, this);
}

void Connection::awake(void* self, Wake why) {
  auto& connection = *static_cast<Connection*>(self);
  if (why == Wake::ready) return connection.begin_serving();
  const Timeouts& t = (*connection.worker_.snapshot)->timeouts;
  const bool is_head = connection.is_first_ && t.client_header < t.client_idle;
  connection.worker_.counters.reached(is_head ? Limit::client_header : Limit::client_idle);
  connection.worker_.remove(connection);
}

void Connection::begin_serving() {
  session_ = worker_.take_session();
  session_->begin(*this, *transport_);
  serve();
}

void Connection::drain() {
  // Whoever serves looks at the worker before it rests.
  if (session_) return;
  // A request that has arrived already is still answered: `awake` follows.
  if (transport_->is_quiet() || transport_->is_gone()) worker_.remove(*this);
}

void Connection::abort() {
  if (!session_) {
    worker_.remove(*this);
    return;
  }
  if (session_->tunnel) session_->tunnel->cut(Failure(Error::stopped));
  session_->exchange.abandon(Failure(Error::stopped));
  transport_->reset();
}

// Lets a coroutine do what has to wait, and goes on with `then` behind it.
template <class T, class F>
void Connection::spawn(Task<T> task, F then) {
  asio::co_spawn(worker_.io, std::move(task), [this, then](std::exception_ptr thrown, auto... result) {
    if (!thrown) return then(result...);
    worker_.shared.log(LogLevel::error, "a connection ended by an exception in gw itself");
    end();
  });
}

// --- One request after the other ---------------------------------------------------------------------
// Each function does a part, and whatever comes behind it that need not wait. Those that return a bool say true if the request is
// answered and over; otherwise somebody goes on later, or the connection has ended.

void Connection::serve() {
  do {
    session_->codec->reset();
    const Step step = advance_head();
    if (step == Step::blocked && session_->buffer.empty()) return rest();  // woken for nothing
    if (!take_head(step)) return;
  } while (has_more());
}

// The next request: of what is read already, or when it comes.
bool Connection::has_more() {
  if (!keep_alive_) return end(), false;
  session_->buffer.unpin();
  is_first_ = false;
  if (session_->buffer.empty()) return rest(), false;
  if (++in_a_row_ < answered_in_a_row) return true;
  in_a_row_ = 0;
  asio::post(worker_.io, [this] { serve(); });
  return false;
}

void Connection::go_on(bool is_over) {
  if (is_over && has_more()) serve();
}

void Connection::rest() {
  session_->end();
  worker_.give_session(std::move(session_));
  idle();
  if (worker_.is_draining) drain();
}

void Connection::end() {
  session_->end();
  worker_.give_session(std::move(session_));
  worker_.remove(*this);
}

bool Connection::take_head(Step step) {
  switch (step) {
    case Step::complete: return begin_request();
    case Step::blocked: spawn(read_head(), [this](Step next) { go_on(take_head(next)); }); break;
    case Step::refused: spawn(refuse(), [this] { end(); }); break;
    case Step::closed: end(); break;
  }
  return false;
}

Connection::Step Connection::advance_head() {
  Session& s = *session_;
  Request& request = s.exchange.context.req;
  for (;;) {
    if (!s.buffer.empty()) {
      const Result<std::size_t> size = s.codec->head(s.buffer.content(), request);
      if (!size) {
        s.failure = size.error();
        return Step::refused;
      }
      if (*size > 0) {
        s.buffer.consume(*size);
        s.buffer.pin();
        return Step::complete;
      }
    }
    std::error_code ec;
    const std::size_t n = transport_->read(s.buffer.room(), ec);
    if (ec == asio::error::would_block) return Step::blocked;
    if (ec) return Step::closed;
    s.buffer.commit(n);
  }
}

Task<Connection::Step> Connection::read_head() {
  Session& s = *session_;
  s.head_began = std::chrono::steady_clock::now();
  const auto give_up = *s.head_began + s.timeouts.client_header;
  for (;;) {
    const auto left = std::chrono::duration_cast<Duration>(give_up - std::chrono::steady_clock::now());
    if (co_await transport_->until(Side::read, std::max(left, Duration(0))) == Wake::timed_out) {
      s.failure = Failure(Error::client_timeout, gw::Origin::client);
      co_return Step::refused;
    }
    const Step step = advance_head();
    if (step != Step::blocked) co_return step;
  }
}

Task<> Connection::refuse() {
  Session& s = *session_;
  const std::error_code code = s.failure->code;
  worker_.counters.refused.add(tally_key(code));
  if (const auto limit = code == Error::client_timeout ? Limit::client_header : limit_of(code)) worker_.counters.reached(*limit);
  std::string line = "refused a request of " + origin_.peer_address + ": " + code.message();
  worker_.shared.log(LogLevel::info, line);

  const Response response = Response::error(status_of(code), message_of(code));
  HeadText head;
  append_response_head(head, response, {h1::Framing::length, response.body.text().size(), false, Version::http11}, worker_.date());
  Gather pieces;
  pieces.add(head.text());
  pieces.add(response.body.text());
  const std::error_code ec = co_await pieces.write(*transport_, s.timeouts.client_write);
  if (!ec) co_await linger();
}

void Connection::begin_body() {
  Session& s = *session_;
  s.is_cancelled = s.has_sent_continue = false;
  s.failure.reset();
  if (std::exchange(s.has_own_bounds, false)) s.use_gateway_bounds();
  s.pace.reset();
  s.has_ended = s.codec->framing() == h1::Framing::none || (s.codec->framing() == h1::Framing::length && s.codec->length() == 0);
  // "Content-Length: 0" is not the same as no content: it is passed on.
  s.exchange.context.req.body = s.codec->framing() == h1::Framing::none ? Body() : Body::borrow(s);
}

// The other end, and whether it is trusted: found out once, and again when a reload has changed whom the listener trusts.
Peer Connection::peer() {
  const ListenerState& listener = *origin_.listener;
  if (trust_version_ != listener.version) {
    trust_version_ = listener.version;
    const auto address = IpAddress::parse(origin_.peer_address);
    is_trusted_ = listener.trusted && address && listener.trusted->contains(*address);
  }
  return {origin_.peer_address, listener.port, is_trusted_ ? listener.trusted.get() : nullptr};
}

// Finds the route, runs stages and handler, answers.
bool Connection::begin_request() {
  Session& s = *session_;
  s.exchange.begin(peer());
  if (s.head_began) ContextAccess::set_started(s.exchange.context, *std::exchange(s.head_began, std::nullopt));
  const std::uint64_t most = s.exchange.snapshot().limits.requests_per_connection;
  s.is_last = ++requests_ >= most && most > 0;
  if (s.is_last) worker_.counters.reached(Limit::requests_per_connection);
  begin_body();
  if (s.exchange.run_now(s.codec->wants_upgrade())) return answer();
  worker_.wheel.arm(patience_, patience);
  switch (s.exchange.forward_now()) {
    case Exchange::Progress::answered: return answer();
    case Exchange::Progress::forwarded: break;
    case Exchange::Progress::waits: run_stages(); break;
  }
  return false;
}

void Connection::run_stages() {
  spawn(session_->exchange.run(), [this] { answered(); });
}

void Connection::answered() { go_on(answer()); }

bool Connection::answer() {
  Session& s = *session_;
  Context& c = s.exchange.context;
  using Sending = Responder::Sending;
  Sending sending = Sending::failed;
  const bool is_tunnel = s.exchange.tunnel() != nullptr;
  if (!is_tunnel && !is_client_gone(c)) {
    // An interim status without a connection behind it would promise what nobody can do.
    if (c.res.status < 200) c.fail(Failure(Error::handler_failed));
    sending = s.responder.begin();
  }
  if (sending != Sending::done || s.exchange.calls.uploads > 0 || !s.has_ended) {
    // What answered at once may still have a body that waits.
    if (sending == Sending::waiting && !is_watching_) worker_.wheel.arm(patience_, patience);
    spawn(finish_answer(sending, is_tunnel), [this] { go_on(true); });
    return false;
  }
  ContextAccess::set_complete(c);
  stop_watching();
  s.exchange.end();
  keep_alive_ = s.responder.keep_alive();
  if (!s.is_last) return true;
  // The client did not know, and may have sent more, which stays unread.
  spawn(linger(), [this] { end(); });
  return false;
}

// What is left to do for a request if something has to wait.
Task<> Connection::finish_answer(Responder::Sending sending, bool is_tunnel) {
  Session& s = *session_;
  Context& c = s.exchange.context;
  keep_alive_ = false;
  bool is_sent = false;
  if (is_tunnel) {
    stop_watching();
    co_await tunnel(*s.exchange.tunnel());
  } else if (!is_client_gone(c)) {
    is_sent = sending == Responder::Sending::done || co_await s.responder.finish(sending);
    if (is_sent) ContextAccess::set_complete(c);
  }

  stop_watching();
  // An upstream may answer before it has read all, and read on.
  if (is_sent && s.exchange.calls.uploads > 0 && !s.is_client_waiting())
    while (s.exchange.wants_rest()) co_await s.exchange.calls.upload_ended.wait();
  // Whatever still reads the request's body ends now, before its memory is used again.
  if (s.exchange.calls.uploads > 0) {
    s.exchange.stop_uploads();
    s.cancel();
  }
  while (s.exchange.calls.uploads > 0) co_await s.exchange.calls.upload_ended.wait();
  s.exchange.end();

  if (!is_sent) co_return;
  keep_alive_ = s.responder.keep_alive();
  if (s.has_ended && !s.is_last) co_return;
  if (keep_alive_) keep_alive_ = co_await discard_body();
  else co_await linger();
}

Task<bool> Connection::discard_body() {
  Session& s = *session_;
  s.is_cancelled = false;
  std::uint64_t discarded = 0;
  while (discarded <= Session::discarded_at_most) {
    std::optional<Chunk> chunk = s.ready();
    if (!chunk) {
      const Result<Chunk> next = co_await s.read();
      if (!next) co_return false;
      chunk = *next;
    }
    if (chunk->empty()) co_return true;
    discarded += chunk->size();
  }
  co_return false;
}

void Connection::stop_watching() {
  patience_.disarm();
  if (is_watching_) transport_->unwatch(Side::read);
  is_watching_ = false;
}

// The upstream switched protocols: bytes go through until both sides have ended.
Task<> Connection::tunnel(Call& upstream) {
  Session& s = *session_;
  Context& c = s.exchange.context;
  ContextAccess::set_head_sent(c);
  HeadText head;
  append_response_head(head, c.res, {}, {});
  Gather pieces;
  pieces.add(head.text());
  const Failure client_gone(Error::client_gone, gw::Origin::client), upstream_gone(Error::upstream_reset, gw::Origin::upstream);
  if (co_await pieces.write(*transport_, s.timeouts.client_write)) {
    ContextAccess::set_failure(c, client_gone);
    co_return;
  }
  const Tunnel::End client(*transport_, s.buffer, client_gone), other(upstream.transport(), upstream.buffer(), upstream_gone);
  Tunnel tunnel(worker_, client, other, upstream.tunnel_idle());
  s.tunnel = &tunnel;
  co_await tunnel.run();
  s.tunnel = nullptr;
  ContextAccess::add_bytes_received(c, tunnel.to_upstream());
  ContextAccess::add_bytes_sent(c, tunnel.to_client());
  if (tunnel.failure()) ContextAccess::set_failure(c, *tunnel.failure());
  else ContextAccess::set_complete(c);
}

Task<> Connection::linger() {
  transport_->shutdown_write();
  const auto give_up = std::chrono::steady_clock::now() + lingering;
  char sink[4096];
  for (;;) {
    std::error_code ec;
    transport_->read(asio::buffer(sink), ec);
    const auto left = std::chrono::duration_cast<Duration>(give_up - std::chrono::steady_clock::now());
    if ((ec && ec != asio::error::would_block) || left.count() <= 0) co_return;
    // After every read others have their turn: a client that sends on and on would keep the worker busy.
    if (co_await transport_->until(Side::read, left) != Wake::ready) co_return;
  }
}

// The upstream takes its time: notice if the client leaves. Only possible while nothing else reads
// from it.
void Connection::watch_client() {
  Session& s = *session_;
  if (!s.has_ended) {
    worker_.wheel.arm(patience_, patience);
    return;
  }
  is_watching_ = true;
  transport_->watch(
      Side::read, watch_forever,
      [](void* self, Wake) {
        auto& connection = *static_cast<Connection*>(self);
        connection.is_watching_ = false;
        // Bytes are the next request, which waits its turn.
        if (connection.transport_->is_gone()) connection.session_->exchange.abandon(Failure(Error::client_gone, gw::Origin::client));
      },
      this);
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
