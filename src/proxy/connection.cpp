#include "proxy/connection.hpp"

#include "exception_text.hpp"
#include "proxy/fields.hpp"
#include "proxy/gather.hpp"
#include "proxy/tunnel.hpp"

#include <asio/co_spawn.hpp>

#include <algorithm>

namespace gw {
inline namespace v0 {
namespace proxy {

using detail::ContextAccess;

namespace {

// How long an upstream may take before the client is watched for leaving: most answers are there
// sooner, and watching costs a system call.
constexpr auto patience = std::chrono::milliseconds(100);
// A request body that nobody wanted is read up to here, so that the connection can be used again.
constexpr std::uint64_t discarded_at_most = 256 * 1024;
// After the last response the client gets this long to read it, before unread bytes of its own turn
// the close into a reset that would destroy it (RFC 9112 9.6).
constexpr auto lingering = std::chrono::milliseconds(1000);
// A client that goes on at once finds its coroutine still there: starting one costs more than keeping
// it for so long.
constexpr Duration brief_rest = std::chrono::seconds(1);
constexpr Duration watch_forever = std::chrono::hours(24);

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
  const Duration limit = is_first_ ? std::min(t.client_header, t.client_idle) : t.client_idle - std::exchange(idle_spent_, Duration(0));
  transport_->watch(Side::read, std::max(limit, Duration(0)), &Connection::awake, this);
}

void Connection::awake(void* self, Wake why) {
  auto& connection = *static_cast<Connection*>(self);
  if (why == Wake::ready) connection.begin_serving();
  else connection.worker_.remove(connection);
}

void Connection::begin_serving() {
  is_serving_ = true;
  session_ = worker_.take_session();
  session_->begin(*transport_);
  asio::co_spawn(worker_.io, serve(), [this](std::exception_ptr thrown) {
    is_serving_ = false;
    if (thrown) worker_.shared.log(LogLevel::error, "a connection ended by an exception in gw itself");
    if (session_) {
      session_->end();
      worker_.give_session(std::move(session_));
    }
    // Without keep-alive `serve` leaves the transport to be closed here.
    if (thrown || !keep_alive_) worker_.remove(*this);
    else if (worker_.is_draining) drain();
    else idle();
  });
}

void Connection::drain() {
  if (is_serving_) {
    // Others look at the worker before they wait for another request.
    if (is_resting_) transport_->interrupt(Side::read);
    return;
  }
  transport_->unwatch(Side::read);
  // A request that has arrived already is still answered.
  if (transport_->is_quiet() || transport_->is_gone()) worker_.remove(*this);
  else begin_serving();
}

void Connection::abort() {
  if (!is_serving_) {
    worker_.remove(*this);
    return;
  }
  session_->exchange.abandon(Failure(Error::stopped));
  transport_->reset();
}

Task<> Connection::serve() {
  Session& s = *session_;
  for (;;) {
    // 1. Read and parse the head.
    s.codec->reset();
    Step step = advance_head();
    if (step == Step::blocked && s.buffer.empty()) {
      keep_alive_ = true;  // woken for nothing: still idle
      co_return;
    }
    if (step == Step::blocked) step = co_await read_head();
    if (step == Step::refused) co_await refuse();
    if (step != Step::complete) break;

    // 2. Find the route, run stages and handler, answer.
    keep_alive_ = co_await answer();
    if (!keep_alive_) break;

    // 3. Next request: of what is read already, or after a moment's rest without a buffer; then idle until it comes.
    s.buffer.unpin();
    is_first_ = false;
    if (!s.buffer.empty()) continue;
    begin_rest();
    const bool is_awake = !worker_.is_draining && co_await transport_->until(Side::read, idle_spent_) == Wake::ready;
    is_resting_ = false;
    if (!is_awake) co_return;
    s.begin(*transport_);
  }
  keep_alive_ = false;
}

void Connection::begin_rest() {
  session_->end();
  idle_spent_ = std::min(brief_rest, session_->timeouts.client_idle);
  is_resting_ = true;
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
  std::string line = "refused a request of " + origin_.peer_address + ": " + code.message();
  worker_.shared.log(LogLevel::info, line);

  const Response response = Response::error(status_of(code), message_of(code));
  s.head.clear();
  append_response_head(s.head, response, {h1::Framing::length, response.body.text().size(), false, Version::http11}, worker_.date());
  Gather pieces;
  pieces.add(s.head);
  pieces.add(response.body.text());
  const std::error_code ec = co_await pieces.write(*transport_, s.timeouts.client_write);
  if (!ec) co_await linger();
}

void Connection::begin_body() {
  Session& s = *session_;
  s.is_cancelled = s.has_sent_continue = false;
  s.failure.reset();
  if (std::exchange(s.has_own_timeouts, false)) s.timeouts = (*worker_.snapshot)->timeouts;
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

Task<bool> Connection::answer() {
  Session& s = *session_;
  Context& c = s.exchange.context;
  s.exchange.begin(peer());
  if (s.head_began) ContextAccess::set_started(c, *std::exchange(s.head_began, std::nullopt));
  begin_body();
  if (!s.exchange.run_now(s.codec->wants_upgrade())) {
    worker_.wheel.arm(patience_, patience);
    co_await s.exchange.run();
  }

  bool is_sent = false;
  if (Call* upstream = s.exchange.tunnel()) {
    stop_watching();
    co_await tunnel(*upstream);
  } else if (!c.failure() || c.failure()->code != Error::client_gone) {
    // An interim status without a connection behind it would promise what nobody can do.
    if (c.res.status < 200) c.fail(Failure(Error::handler_failed));
    const Sending sending = begin_response();
    is_sent = sending == Sending::done || co_await respond(sending);
    if (is_sent) ContextAccess::set_complete(c);
  }

  stop_watching();
  // Whatever still reads the request's body ends now, before its memory is used again.
  c.res.body = Body();
  if (s.exchange.calls.uploads > 0) s.cancel();
  while (s.exchange.calls.uploads > 0) co_await s.exchange.calls.upload_ended.wait();
  s.exchange.end();

  if (!is_sent) co_return false;
  if (s.has_ended) co_return keep_alive_;
  if (keep_alive_) co_return co_await discard_body();
  co_await linger();
  co_return false;
}

// Sends the rest of a response that `begin_response` has begun. False if the client does not have it whole: then the connection
// must be cut, so that the client can tell (RFC 9112 8).
Task<bool> Connection::respond(Sending sending) {
  Session& s = *session_;
  Context& c = s.exchange.context;
  for (;;) {
    if (sending == Sending::waiting) {
      // The body may be user code, which may throw.
      std::exception_ptr thrown;
      try {
        sending = co_await stream_response();
      } catch (...) {
        thrown = std::current_exception();
      }
      if (thrown) sending = note_thrown(thrown);
    }
    if (sending == Sending::done) co_return true;
    // While nothing was sent there can be another response; it is a text, so this happens once.
    if (c.is_head_sent() || !c.res.body.is_stream()) {
      // Here an end would look like that of the response.
      if (framing_ == h1::Framing::until_close) transport_->reset();
      co_return false;
    }
    c.fail(Failure(Error::handler_failed));
    sending = begin_response();
  }
}

Connection::Sending Connection::note_thrown(const std::exception_ptr& thrown) {
  Context& c = session_->exchange.context;
  c.log(LogLevel::error, "the body of the response threw: " + detail::text_of(thrown));
  ContextAccess::set_failure(c, Failure(Error::handler_failed));
  return Sending::failed;
}

// Composes the head, and sends it with what is there of the body: nearly always all.
Connection::Sending Connection::begin_response() {
  Session& s = *session_;
  Context& c = s.exchange.context;
  try {
    compose_response();
    s.pieces = Gather();
    s.pieces.add(s.head);
    const std::optional<Chunk> first = has_response_ended_ ? std::nullopt : c.res.body.ready();
    if (first && !add_chunk(*first)) return Sending::failed;
  } catch (...) {
    return note_thrown(std::current_exception());
  }
  ContextAccess::set_head_sent(c);
  const std::error_code ec = s.pieces.write_now(*transport_);
  if (ec && ec != asio::error::would_block) return Sending::failed;
  return !ec && has_response_ended_ ? Sending::done : Sending::waiting;
}

// Decides how the response ends and composes its head.
void Connection::compose_response() {
  Session& s = *session_;
  Context& c = s.exchange.context;
  Response& r = c.res;

  const bool is_head = c.req.method == Method::head;
  const bool has_body = !is_head && r.status >= 200 && r.status != 204 && r.status != 304;
  has_response_ended_ = !has_body;
  ResponseFraming framing;
  framing.client = c.req.version;
  const std::optional<std::uint64_t> size = r.body.size();
  if (has_body) {
    framing_ = size ? h1::Framing::length : c.req.version == Version::http11 ? h1::Framing::chunked : h1::Framing::until_close;
  } else {
    // What a handler would have sent is known; what an upstream said is in its Content-Length.
    framing_ = is_head && !r.body.is_stream() && !r.headers.has("content-length") ? h1::Framing::length : h1::Framing::none;
  }
  framing.framing = framing_;
  framing.length = length_ = size.value_or(0);

  // A body that the client still sends is read to its end first, if that is not much.
  const bool is_body_bounded = s.has_ended || (s.codec->framing() == h1::Framing::length && s.codec->length() <= discarded_at_most &&
                                               (!s.codec->expects_continue() || s.has_sent_continue));
  keep_alive_ = framing.keep_alive = s.codec->keep_alive() && framing_ != h1::Framing::until_close && is_body_bounded && !worker_.is_draining &&
                                     !(c.failure() && c.failure()->origin == gw::Origin::client && s.failure);
  s.head.clear();
  append_response_head(s.head, r, framing, worker_.date());
}

// Adds a piece of the body, framed, and notes its end. False if it is not the body that was announced.
bool Connection::add_chunk(Chunk chunk) {
  Session& s = *session_;
  Context& c = s.exchange.context;
  Gather& pieces = s.pieces;
  if (framing_ == h1::Framing::length) {
    // A known size ends the body with its last byte; a source that lied about it cannot be passed on.
    const std::uint64_t left = length_ - c.bytes_sent();
    if (chunk.size() > left || (chunk.empty() && left > 0)) return false;
    ContextAccess::add_bytes_sent(c, chunk.size());
    has_response_ended_ = chunk.size() == left;
    pieces.add(chunk);
    return true;
  }
  ContextAccess::add_bytes_sent(c, chunk.size());
  has_response_ended_ = chunk.empty();
  s.framed.clear();
  if (framing_ == h1::Framing::chunked) {
    if (chunk.empty()) append_last_chunk(s.framed, c.res.body.trailers());
    else h1::append_chunk_head(s.framed, chunk.size());
  }
  pieces.add(s.framed);
  pieces.add(chunk);
  if (framing_ == h1::Framing::chunked && !chunk.empty()) pieces.add("\r\n");
  return true;
}

// Sends what did not fit yet and the rest of the body.
Task<Connection::Sending> Connection::stream_response() {
  Session& s = *session_;
  Context& c = s.exchange.context;
  for (;;) {
    if (const std::error_code ec = co_await s.pieces.write(*transport_, s.timeouts.client_write)) co_return Sending::failed;
    if (has_response_ended_) co_return Sending::done;
    std::optional<Chunk> chunk = c.res.body.ready();
    if (!chunk) {
      const Result<Chunk> next = co_await c.res.body.read();
      if (!next) {
        ContextAccess::set_failure(c, next.error());
        co_return Sending::failed;
      }
      chunk = *next;
    }
    if (!add_chunk(*chunk)) {
      ContextAccess::set_failure(c, Failure(Error::handler_failed));
      co_return Sending::failed;
    }
  }
}

Task<bool> Connection::discard_body() {
  Session& s = *session_;
  s.is_cancelled = false;
  std::uint64_t discarded = 0;
  while (discarded <= discarded_at_most) {
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
  s.head.clear();
  append_response_head(s.head, c.res, {}, {});
  Gather pieces;
  pieces.add(s.head);
  if (co_await pieces.write(*transport_, s.timeouts.client_write)) co_return;
  Tunnel relay(worker_, s.timeouts.client_idle);
  co_await relay.run({*transport_, s.buffer}, {upstream.transport(), upstream.buffer()});
  ContextAccess::add_bytes_received(c, relay.to_upstream());
  ContextAccess::add_bytes_sent(c, relay.to_client());
  ContextAccess::set_complete(c);
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
