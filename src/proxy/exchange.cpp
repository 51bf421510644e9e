#include "proxy/exchange.hpp"

#include "proxy/affinity.hpp"
#include "proxy/client_address.hpp"
#include "proxy/fields.hpp"
#include "proxy/metrics_text.hpp"

#include <gw/path.hpp>
#include <gw/upstream.hpp>

#include <algorithm>
#include <charconv>
#include <string>

namespace gw {
inline namespace v0 {
namespace proxy {

using detail::ContextAccess;

namespace {

// Begins a head, with the Host field, which belongs to the target (RFC 9110 7.2).
void append_request_line(HeadText& out, const Request& request, std::string_view base_path, std::string_view path, std::size_t strip, std::string_view host) {
  const gw::detail::JoinedPath to = path == "*" ? gw::detail::JoinedPath{{}, {}, path} : gw::detail::joined_path(base_path, path, strip);
  out.put(to_string(request.method), " ", to.base, to.slash, to.rest, request.has_query() ? "?" : "", request.query(), " HTTP/1.1\r\nHost: ", host, "\r\n");
}

/// What a call has to know of the request `r`, made for the client of `c`.
Call::Parts parts_of(const UpstreamOptions& options, Request& r, const Context& c) {
  const bool is_repeatable = is_idempotent(r.method) || r.headers.has("idempotency-key");
  Call::Parts parts{r.method, r.body, {}, nullptr, false, is_repeatable};
  if (options.balance == Balance::maglev)
    if (const auto value = value_of(options.hash, c)) parts.hash = hash_of(*value);
  if (options.sticky) parts.cookie = cookie_of(c.req.headers, options.sticky->cookie).value_or(std::string_view{});
  return parts;
}

// User code that makes a request of its own.
class Sender final : public Caller {
 public:
  Sender(const Request& request, std::string_view base_path, std::string_view pseudonym)
      : request_(request), base_path_(base_path), pseudonym_(pseudonym) {}

  void write_head(HeadText& out, std::string_view host_field) const override {
    append_request_line(out, request_, base_path_, request_.path(), 0, request_.headers.get("host").value_or(host_field));
    append_forwarded_fields(out, request_, ForwardedFor{}, pseudonym_, {});
  }
  void received(Result<> outcome) override { outcome_ = outcome; }
  const Result<>& outcome() const noexcept { return outcome_; }

 private:
  const Request& request_;
  std::string_view base_path_;
  std::string_view pseudonym_;
  Result<> outcome_;
};

Task<> nothing() { co_return; }

// Takes one off the gateways that TRACE or OPTIONS may still pass (RFC 9110 7.6.2). False, and answered, if this is the last.
bool pass_on(Context& c) {
  const std::string_view text = c.req.headers["max-forwards"];
  std::uint32_t left = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), left);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) return true;
  if (left > 0) {
    c.req.headers.set("Max-Forwards", std::to_string(left - 1));
    return true;
  }
  // To reflect a request would show its credentials to scripts that may not see them.
  if (c.req.method == Method::trace) c.fail(Failure(Error::unknown_method, Origin::client));
  else c.reply(Response(204));
  return false;
}

}  // namespace

Task<> Forward::operator()(Context& c) const { return static_cast<Exchange&>(*ContextAccess::host(c)).forward(*this); }

// Whether the request can go upstream; its path is made.
bool Exchange::prepare(const Forward& forward) {
  if (is_loop(context.req, worker_.shared.pseudonym)) {
    context.fail(Failure(Error::loop_detected));
    return false;
  }
  if ((context.req.method == Method::trace || context.req.method == Method::options) && !pass_on(context)) return false;
  const std::optional<Template>& to = forward.options_.rewrite;
  rewritten_.clear();
  if (to && !to->append_path(rewritten_, template_values())) {
    context.fail(Failure(Error::bad_path, Origin::client));
    return false;
  }
  // With content there would be two ways to read what follows the head. Who cannot switch may answer as usual (RFC 9110 7.8).
  if (wants_upgrade_ && context.req.body.size() == 0) offer_ = offer_of(context.req.headers, forward.options_.upgrade);
  if (!offer_.empty() && !is_websocket_supported(context.req.headers, offer_)) {
    context.fail(Failure(Error::unsupported_websocket, Origin::client));
    context.res.headers.set("Upgrade", "websocket");
    context.res.headers.set("Sec-WebSocket-Version", "13");
    return false;
  }
  forward_ = &forward;
  return true;
}

Call& Exchange::begin_call(const Forward& forward) {
  const UpstreamTimeouts& timeouts = forward.options_.timeouts;
  const bool expects_continue = !context.req.body.empty() && context.req.headers.has("expect");
  Call::Parts parts = parts_of(forward.upstream_->options, context.req, context);
  parts.upgrade = offer_;
  parts.timeouts = &timeouts;
  parts.expects_continue = expects_continue;
  Call& call = Call::begin(worker_, calls, *forward.upstream_, parts, snapshot());
  forwarded_ = &call;
  return call;
}

Task<> Exchange::forward(const Forward& forward) {
  const Forward& to = forward.choose(context, worker_.random);
  if (!prepare(to)) return nothing();
  Call& call = begin_call(to);
  return to.fallback_ ? run_with_fallback(call) : call.run(*this, context.res);
}

// The call, and those to whom the request falls back.
Task<> Exchange::run_with_fallback(Call& call) {
  co_await call.run(*this, context.res);
  while (falls_back_to_) {
    forward_ = std::exchange(falls_back_to_, nullptr);
    co_await begin_call(*forward_).run(*this, context.res);
  }
}

void Exchange::failing(Call& call, const Failure& why) {
  const Forward::Fallback* fallback = forward_->fallback_.get();
  if (!fallback || !fallback->forward || why.origin != Origin::upstream) return;
  const bool was_sent = why.retry != Retry::another && why.code != Error::no_endpoint;
  if (was_sent && !call.is_repeatable()) return;
  std::optional<Body> body = call.body_again();
  if (!body) return;
  context.req.body = std::move(*body);
  falls_back_to_ = &*fallback->forward;
}

void Exchange::write_head(HeadText& out, std::string_view host_field) const {
  const Request& request = context.req;
  const Forward::Options& options = forward_->options_;
  const bool keeps_host = options.preserve_host && !request.authority().empty();
  const std::string_view host = keeps_host ? request.authority() : host_field;
  if (options.rewrite) append_request_line(out, request, options.base_path, rewritten_, 0, host);
  else append_request_line(out, request, options.base_path, request.path(), options.strip_prefix ? prefix_length_ : 0, host);
  const Context& c = context;
  const ForwardedFor from{c.peer_address(), request.authority(), c.client_scheme(), port_, c.client_address()};
  append_forwarded_fields(out, request, from, worker_.shared.pseudonym, offer_);
}

void Exchange::received(Result<> outcome) {
  if (outcome) {
    if (const auto& sticky = forward_->upstream_->options.sticky) set_sticky(*sticky);
    ContextAccess::set_replied(context);
  } else {
    forwarded_ = nullptr;
    if (falls_back_to_) return;
    context.fail(outcome.error());
    const Forward::Fallback* fallback = forward_->fallback_.get();
    if (fallback && fallback->reply && outcome.error().origin == Origin::upstream) (*fallback->reply)(context);
  }
  if (!std::exchange(tells_client_, false)) return;
  pipeline_->leave(context, reached_);
  client_.answered();
}

// Tells the client who has answered, unless it knows.
void Exchange::set_sticky(const StickyOptions& options) {
  const std::string_view value = forwarded_->sticky_value();
  if (context.res.status == 101 || cookie_of(context.req.headers, options.cookie) == value) return;
  context.res.headers.add("Set-Cookie", sticky_cookie(options, value, context.client_scheme() == "https"));
}

void Exchange::stalled() {
  tells_client_ = false;
  client_.stalled();
}

void Exchange::begin(const Peer& peer) {
  port_ = peer.port;
  snapshot_ = worker_.snapshot;
  worker_.counters.requests.up();
  ContextAccess::begin(context, this, worker_.id_seed, ++worker_.requests, peer.address);
  if (!peer.trusted) {
    // Without a peer the request is the program's own.
    if (!peer.address.empty()) remove_forwarded(context.req.headers);
    return;
  }
  const ClaimedClient client = claimed_client(context.req.headers, peer.address, *peer.trusted);
  ContextAccess::set_client(context, client.address, client.scheme);
}

const Handler& Exchange::find(bool wants_upgrade) {
  wants_upgrade_ = wants_upgrade;
  find_route();
  return *handler_;
}

bool Exchange::compose_head(HeadText& out, const Forward& forward, std::string_view host_field) {
  if (!prepare(forward)) return false;
  write_head(out, host_field);
  append_request_framing(out, context.req.method, !context.req.body.empty(), context.req.body.size());
  return true;
}

bool Exchange::run_now(bool wants_upgrade) {
  wants_upgrade_ = wants_upgrade;
  find_route();
  return pipeline_->run_now(context, *handler_);
}

Exchange::Progress Exchange::forward_now() {
  if (pipeline_->waits() || !plan_ || handler_ != &plan_->handler || !plan_->forward) return Progress::waits;
  reached_ = pipeline_->enter(context);
  const Forward& to = plan_->forward->choose(context, worker_.random);
  if (!context.has_reply() && prepare(to)) {
    Call& call = begin_call(to);
    // A body that a stage has wrapped may throw.
    std::exception_ptr thrown;
    try {
      // A look at the clock would show what it did, unless stages have run, which may take their time.
      const auto now = reached_ == 0 ? ContextAccess::received(context) : std::chrono::steady_clock::now();
      tells_client_ = call.begin_now(*this, context.res, now);
    } catch (...) {
      thrown = std::current_exception();
    }
    if (!thrown) return tells_client_ ? Progress::forwarded : Progress::waits;
    forwarded_ = nullptr;
    pipeline_->settle_thrown(context, thrown);
  }
  pipeline_->leave(context, reached_);
  return Progress::answered;
}

Task<> Exchange::run() { return forwarded_ ? run_forwarded() : pipeline_->run(context, *handler_); }

// What `forward_now` has begun.
Task<> Exchange::run_forwarded() {
  Call& call = *forwarded_;
  if (forward_->fallback_) co_await run_with_fallback(call);
  else co_await call.run(*this, context.res);
  pipeline_->leave(context, reached_);
}

void Exchange::begin_reading() { ++calls.uploads; }

void Exchange::end_reading() {
  --calls.uploads;
  calls.upload_ended.notify();
}

void Exchange::abandon(Failure failure) {
  for (Call* call : calls.running) call->abandon(failure);
  ContextAccess::abandon(context);
}

void Exchange::stop_uploads() {
  for (Call* call : calls.running) call->stop_upload();
}

Call* Exchange::tunnel() {
  return forwarded_ && context.res.status == 101 && context.res.body.comes_from(*forwarded_) ? forwarded_ : nullptr;
}

bool Exchange::wants_rest() const noexcept {
  // One that is not running has been dropped.
  return std::find(calls.running.begin(), calls.running.end(), forwarded_) != calls.running.end() && forwarded_->wants_rest();
}

void Exchange::end() {
  ContextAccess::set_ended(context);
  pipeline_->done(context);
  count(metrics_->of(worker_.index), context);
  worker_.counters.requests.down();
  ContextAccess::end(context);
  // Uploads have ended, and whoever kept the body of a response keeps memory that is about to be used again.
  GW_ASSERT(calls.running.empty());
  snapshot_.reset();
  forwarded_ = nullptr;
  forward_ = nullptr;
  falls_back_to_ = nullptr;
  plan_ = nullptr;
  wants_upgrade_ = false;
  offer_.clear();
  prefix_length_ = 0;
}

std::string Exchange::metrics(bool is_openmetrics) {
  return metrics_text(worker_.shared.metrics, is_openmetrics ? Exposition::Format::openmetrics : Exposition::Format::prometheus);
}

Task<Result<Response>> Exchange::send(const Upstream& upstream, Request request) {
  const auto found = snapshot().upstreams.find(upstream.name());
  if (found == snapshot().upstreams.end()) co_return Failure(Error::no_endpoint);
  Sender sender(request, found->second->options.base_path, worker_.shared.pseudonym);
  Response response;
  Call& call = Call::begin(worker_, calls, *found->second, parts_of(found->second->options, request, context), snapshot());
  co_await call.run(sender, response);
  if (!sender.outcome()) co_return sender.outcome().error();
  co_return response;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
