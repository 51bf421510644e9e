/// \file
/// Level 2: one request on its way through the gateway, as stages and handlers see it.
#pragma once

#include <gw/log.hpp>
#include <gw/message.hpp>
#include <gw/network.hpp>
#include <gw/params.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

class Upstream;

namespace detail {

/// What a context needs of the gateway around it; tests bring their own, or none. Outlives the
/// context's requests.
class Host {
 public:
  virtual ~Host() = default;
  /// Does what `Context::send` promises. `upstream` lives until the task has ended.
  virtual Task<Result<Response>> send(const Upstream& upstream, Request request) = 0;
  /// Lowers the limit of the client's body to `limit` bytes; answers 413 if it is known to be larger.
  virtual void limit_body([[maybe_unused]] std::uint64_t limit) {}
  /// A coroutine beside stages and handler begins to read the client's body, or has ended that. The request does not end in between. Once
  /// the response is sent, what is still to be read fails.
  virtual void begin_reading() {}
  virtual void end_reading() {}
  /// Takes one line; must not throw.
  virtual void log(LogLevel level, std::string_view line) = 0;
  /// What the gateway has counted, in the Prometheus text format or in OpenMetrics.
  virtual std::string metrics(bool is_openmetrics) { return is_openmetrics ? "# EOF\n" : ""; }
};

struct ContextAccess;

}  // namespace detail

/// A request, its response, and what is known about both. Made by gw for every parsed request;
/// lives until the last `done` hook has returned, across any `co_await`. Neither copied nor moved
/// nor used on another thread than its worker's (asserted).
class GW_EXPORT Context {
 public:
  /// A context without a gateway, for testing stages: fill `req`, call the hooks, look at `res`.
  Context();
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Request req;    ///< the client's request
  Response res;   ///< the response; its body is unread while response hooks run
  Params params;  ///< the path parameters of the route, percent-decoded

  /// Answers the request: no later stage and no handler runs. In a response hook, or after
  /// `next()`, it replaces the response, and views into the replaced one end. Ignored and logged
  /// once the head has been sent.
  void reply(Response response);
  /// The same with a `text/plain` content.
  void reply(int status, std::string text) { reply(Response(status, std::move(text))); }
  /// Answers with the status and message of a failure, and remembers it (also once the head has
  /// been sent).
  void fail(Failure failure);

  /// Whether there is a response: of a stage, a handler, or an upstream.
  bool has_reply() const noexcept { return has_reply_; }
  /// Whether the head of the response is on its way, so that `reply` comes too late.
  bool is_head_sent() const noexcept { return head_sent_; }
  /// What went wrong below, or nothing: no route, the upstream, the handler.
  const std::optional<Failure>& failure() const noexcept { return failure_; }

  /// Sends `request` to an upstream with its pool, limits and timeouts, from a coroutine stage or
  /// handler. Redirects are not followed; any status is a success. The response's body must be
  /// read or dropped before the context ends, and `upstream` must live until the task has ended.
  /// Without a gateway (tests) it fails with `Error::no_endpoint`.
  Task<Result<Response>> send(const Upstream& upstream, Request request);

  /// The name of the route that was taken; empty if there was none.
  std::string_view route() const noexcept { return route_; }
  /// The id of this request: 32 hexadecimal digits, formatted by the first call, or what `set_id`
  /// was given. No two requests of a process get the same digits. The view is valid as long as the context.
  std::string_view id() const;
  /// Replaces the id by a copy of `id`; views of the old one stay valid. Anything but 1 to 128
  /// token characters is ignored.
  void set_id(std::string_view id);
  /// Who the client is, for every decision and log: its IP address as text that `IpAddress::parse`
  /// reads, "127.0.0.1" or "::1"; empty for `Gateway::dispatch`. It is the peer's address, or what a
  /// trusted peer says about those behind it (docs/client_address.md). Decided before the first stage
  /// runs; edits of the header change nothing.
  std::string_view client_address() const noexcept { return client_address_; }
  /// The scheme that the client used, as far as that can be known: what a trusted peer says, else
  /// that of its connection. "http" or "https".
  std::string_view client_scheme() const noexcept { return client_scheme_; }
  /// The IP address of the other end of the connection: the client itself, or a proxy before this
  /// gateway. Empty for `Gateway::dispatch`.
  std::string_view peer_address() const noexcept { return peer_address_; }
  /// Whether the listener trusts the peer: then it may say who the client is.
  bool is_peer_trusted() const noexcept { return is_peer_trusted_; }
  /// Who authenticated: the name that `set_consumer` was given; empty if nobody did.
  std::string_view consumer() const noexcept { return consumer_; }
  /// Keeps a copy of `name` as the consumer of this request; views of the old one stay valid.
  void set_consumer(std::string_view name);
  /// When the first byte of the request arrived.
  std::chrono::system_clock::time_point started() const noexcept { return started_; }
  /// Time since then; in `done` hooks, until the response ended: the same for all of them.
  std::chrono::nanoseconds elapsed() const noexcept {
    return (ended_steady_ != std::chrono::steady_clock::time_point() ? ended_steady_ : std::chrono::steady_clock::now()) - started_steady_;
  }
  /// Bytes of response content sent so far; complete in `done`.
  std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  /// Bytes of request content that were read so far, by whoever reads it. What is read only to be
  /// dropped, behind the response, does not count.
  std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  /// The status that the client got, for `done` hooks: that of `res`, or 499 (`Error::client_gone`) if
  /// the client left before a head was sent.
  int final_status() const noexcept;
  /// Whether the whole response was handed to the client; known in `done`.
  bool is_complete() const noexcept { return is_complete_; }
  /// Writes a line to the gateway's log, followed by the request's id. Control characters become
  /// spaces: `line` may hold text from outside. Dropped if there is no gateway.
  void log(LogLevel level, std::string_view line) const;

  /// One value of type `T` for this request, made on first use: how stages talk to each other.
  /// The reference is valid as long as the context.
  template <class T>
  T& slot() {
    if (T* found = find<T>()) return *found;
    auto value = std::allocate_shared<T>(detail::ArenaAllocator<T>(arena_));
    T& made = *value;
    slots_.emplace_back(&slot_tag<T>, std::move(value));
    return made;
  }
  /// The value that `slot<T>()` made, or null: for `done` hooks.
  template <class T>
  const T* find_slot() const {
    return find<T>();
  }

 private:
  friend struct detail::ContextAccess;
  template <class T>
  static constexpr char slot_tag{};

  template <class T>
  T* find() const {
    check_thread();
    for (const auto& [type, value] : slots_)
      if (type == &slot_tag<T>) return static_cast<T*>(value.get());
    return nullptr;
  }
  void check_thread() const { GW_ASSERT(thread_ == std::this_thread::get_id()); }

  bool has_reply_ = false;
  bool head_sent_ = false;
  bool is_complete_ = false;
  bool is_peer_trusted_ = false;
  std::optional<Failure> failure_;
  detail::Host* host_ = nullptr;
  std::string_view route_;
  std::string_view client_address_;
  std::string_view client_scheme_ = "http";
  std::string_view peer_address_;
  std::string_view consumer_;
  std::chrono::system_clock::time_point started_;
  std::chrono::steady_clock::time_point started_steady_;
  std::chrono::steady_clock::time_point received_steady_;
  std::chrono::steady_clock::time_point ended_steady_;  // or the epoch
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t id_seed_ = 0;
  std::uint64_t id_number_ = 0;
  void (*on_abandoned_)(void*) = nullptr;
  void* on_abandoned_self_ = nullptr;
  std::size_t entered_ = 0;  // the stage that the pipeline has come to; tells a second next() from the first
  mutable std::string_view id_;
  std::vector<std::pair<const char*, std::shared_ptr<void>>> slots_;
  mutable detail::Arena arena_;  // of the id, which is formatted when read, of decoded parameters, and of slots
  std::thread::id thread_;
};

namespace detail {

/// How gw's own code fills a context.
struct ContextAccess {
  /// Begins a request on the calling thread, of which the clocks start now. `req` is left alone, so
  /// it may be parsed before or after. Requests whose `id_seed` and `id_number` are not both equal
  /// have different ids. `peer_address` must outlive the request; the peer is the client until
  /// `set_client` says otherwise.
  GW_EXPORT static void begin(Context& c, Host* host, std::uint64_t id_seed, std::uint64_t id_number, std::string_view peer_address);
  /// The peer is trusted, and this is the client that it speaks for. `scheme` lives for ever.
  GW_EXPORT static void set_client(Context& c, const IpAddress& address, std::string_view scheme);
  /// Ends it: drops bodies, then slots, and empties the rest, keeping memory for the next request.
  GW_EXPORT static void end(Context& c);
  /// The request began at `at`, earlier than `begin`.
  static void set_started(Context& c, std::chrono::steady_clock::time_point at) {
    c.started_ -= std::chrono::duration_cast<std::chrono::system_clock::duration>(c.started_steady_ - at);
    c.started_steady_ = at;
  }
  /// When `begin` was called, by the clock that never jumps: for whoever needs the time of a request rather than of its own call, and
  /// need not look at a clock.
  static std::chrono::steady_clock::time_point received(const Context& c) { return c.received_steady_; }
  /// The response has ended, now.
  static void set_ended(Context& c) { c.ended_steady_ = std::chrono::steady_clock::now(); }
  static constexpr std::size_t longest_id = 128;
  /// Writes the id of a request, at most `longest_id` token characters, and returns their end. Unlike `Context::id` it keeps nothing: to
  /// format an id where it is needed costs half as much.
  GW_EXPORT static char* put_id(const Context& c, char* to) noexcept;
  static void set_route(Context& c, std::string_view name) { c.route_ = name; }
  /// Takes the parameters of a match over: values with an escape are decoded into the context's
  /// memory, the others stay views into the path.
  GW_EXPORT static void set_params(Context& c, const Params& raw);
  static void set_replied(Context& c) { c.has_reply_ = true; }
  static void set_head_sent(Context& c) { c.head_sent_ = true; }
  static void set_complete(Context& c) { c.is_complete_ = true; }
  static void set_failure(Context& c, Failure f) { c.failure_ = f; }
  static void add_bytes_sent(Context& c, std::uint64_t n) { c.bytes_sent_ += n; }
  static void add_bytes_received(Context& c, std::uint64_t n) { c.bytes_received_ += n; }
  static std::size_t& entered(Context& c) { return c.entered_; }
  static Host* host(Context& c) { return c.host_; }
  /// Has `call(self)` called when nobody waits for the response any more: the client has left, or the gateway gives the request up.
  /// One call at a time, until the request ends; null for none.
  static void on_abandoned(Context& c, void (*call)(void* self), void* self) {
    c.on_abandoned_ = call;
    c.on_abandoned_self_ = self;
  }
  /// Nobody does: says so to whoever wants to know, and to the source of a response that is being sent.
  static void abandon(Context& c) {
    if (c.on_abandoned_) c.on_abandoned_(c.on_abandoned_self_);
    if (c.head_sent_) c.res.body.cancel();
  }
  static Arena& arena(Context& c) { return c.arena_; }
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
