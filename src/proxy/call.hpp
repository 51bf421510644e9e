/// \file
/// One request to an upstream and its response, over a leased connection.
#pragma once

#include <gw/message.hpp>

#include "h1/codec.hpp"
#include "proxy/gather.hpp"
#include "proxy/head_text.hpp"
#include "proxy/lease.hpp"
#include "proxy/worker.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

class Call;

/// Who makes a call. Outlives its `run`.
class Caller {
 public:
  virtual ~Caller() = default;
  /// Appends request line and fields, framing excepted. `host_field` is the endpoint's Host. May be
  /// asked again when a stale connection is replaced.
  virtual void write_head(HeadText& out, std::string_view host_field) const = 0;
  /// An interim response (1xx) of the upstream. Optional.
  virtual Task<> interim(const Response& response);
  /// The head of the response has come, or a failure. After `Call::begin_now` the caller may end the call here.
  virtual void received(Result<> outcome) = 0;
  /// The call is about to fail with `why`; what it was to send can be had back from it.
  virtual void failing([[maybe_unused]] Call& call, [[maybe_unused]] const Failure& why) {}
  /// What `Call::begin_now` has begun needs `Call::run` to go on.
  virtual void stalled() {}
};

/// The calls of a client's request, so that it can abandon them, and wait for the end of their
/// uploads before its memory is used for another one.
struct Calls {
  std::vector<Call*> running;   ///< those whose response was not read or dropped yet, too
  int uploads = 0;              ///< how many upload, or read the client's body for somebody else
  Event upload_ended;
};

/// One exchange with an upstream: the numbered steps of docs/life_of_a_request.md from "pick" to
/// "give back". It is the source of the response's body, too: dropping that body ends the call.
///
/// Nearly always there is a free connection, which takes the request at once and later has the head of the response in one piece:
/// then `begin_now` is all that is called, and no coroutine runs. Everything else is `run`: one coroutine, since a frame of its own for
/// every step would cost more than the steps.
///
/// The request body may still be uploading while the response comes in; then a coroutine of its own
/// keeps the call alive until it has ended. Calls are recycled by their worker.
class Call final : public Body::Source {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Call(Worker& worker);

  /// What is to be sent, beside the head.
  struct Parts {
    Method method;
    Body& body;                ///< taken over
    std::string_view upgrade;  ///< the protocols that are offered, which live until `run` ends; empty: none
    /// Other deadlines than the upstream's, which outlive the call; `idle` of them is not used. Null: the upstream's.
    const UpstreamTimeouts* timeouts = nullptr;
    /// Whether the head says "Expect: 100-continue" about the body.
    bool expects_continue = false;
    /// Whether the request may be sent again though it may have had an effect: its method is idempotent, or it says so itself.
    bool is_repeatable = false;
    std::optional<std::uint64_t> hash{};  ///< of whose request it is; nothing: nobody's
    std::string_view cookie{};            ///< of a sticky client; lives until `run` ends
  };

  /// A call from the worker's store, to be `run`. The upstream lives as long as the client's request. It goes back there by itself: when `run` fails, or
  /// once the body of the response is dropped.
  static Call& begin(Worker& worker, Calls& calls, const UpstreamState& upstream, const Parts& parts, const Snapshot& snapshot);

  /// Sends the request and reads the head of the response into `response`, with hop-by-hop fields
  /// removed (RFC 9110 7.6.1) and this call as body; its fields are views that live as long as that
  /// body. `caller` learns how it went. A failure ends the call, and so does an exception of the
  /// request's body, which is passed on instead.
  Task<> run(Caller& caller, Response& response);

  /// After the head of the response: what a sticky client shows to get the same endpoint. Lives as long as the call.
  std::string_view sticky_value() const noexcept { return member_ ? selection_->cookie_of(*member_) : std::string_view(); }

  /// Begins what `run` does, with the same effects. True: the request was sent, and `caller` hears `received` or `stalled` when there is
  /// something to read; both must live until then. `now` is the time, or was it a moment ago. False: `run` has to go on with it. What the
  /// request's body throws is passed on, and ends the call.
  bool begin_now(Caller& caller, Response& response, Time now);

  /// Whether the request may be sent again, whatever became of it.
  bool is_repeatable() const noexcept { return is_repeatable_; }
  /// In `Caller::failing`: the body once more; nothing if a part of it is gone.
  std::optional<Body> body_again();

  /// Makes what waits for the upstream fail with `failure` soon: nobody is interested any more.
  void abandon(Failure failure);

  /// Makes an upload end soon, of which nobody needs the response any more.
  void stop_upload();

  /// Whether the response has ended before the request, and the upstream reads on.
  bool wants_rest() const noexcept { return has_ended_ && is_sending() && !is_aborted_ && codec_->keep_alive(); }

  /// After a 101: the connection, and what already came through it behind the head.
  Transport& transport() { return lease_.transport(); }
  Buffer& buffer() { return buffer_; }
  /// How long nothing may move there.
  Duration tunnel_idle() const noexcept { return timeouts_->tunnel; }

  std::optional<Chunk> ready() override;
  Task<Result<Chunk>> read() override;
  std::optional<std::uint64_t> size() const override;
  const Headers& trailers() const override { return codec_->trailers(); }

  /// Drops one of the (at most two) users; the last one sends the call back to the store.
  void drop();

 private:
  enum class Step {
    begin,     // nothing was done
    unsent,    // there is an endpoint, and perhaps a connection
    writing,   // head, and what is there of the body, are on their way
    blocked,   // sent; nothing is there to read
    interim, complete, failed,
  };

  void prepare();
  bool enter();
  Task<> wait_for_turn();
  void leave_breaker(Breaker::Ending how);
  bool pick();
  bool pick_again();
  Task<bool> go_on(Response& response);
  Task<bool> wait_for_budget();
  Task<> pause(Duration time);
  void end_pause(bool is_soon);
  bool may_retry() const;
  bool may_try_elsewhere() const;
  bool can_repeat_body() const noexcept;
  bool is_retried_status(int status) const;
  void tell(Sign sign);
  void tell(const std::error_code& code);
  bool take_budget();
  void end_retry();
  void keep(std::string_view content);
  void reuse_lease();
  Step send(const Caller& caller, Response& response, Time now);
  Step sent(std::error_code ec, Response& response, Time now);
  void begin_head(Time now);
  static void head_arrived(void* self, Wake why);
  bool may_replace_lease() const noexcept;
  void conclude(Caller& caller, Response& response);
  Step advance_head(Response& response, bool is_readable);
  void drop_interim();
  Duration time_left() const;
  bool has_time_left(Wake wake);
  [[gnu::cold]] Step fail(Failure failure);
  void begin_upload();
  Task<> upload();
  // What was uploaded is gone: only content that went out with the head can be sent again.
  bool may_repeat() const noexcept { return is_repeatable_ && !is_upload_begun_; }
  // Whether the upload still uses the connection.
  bool is_sending() const noexcept { return is_uploading_ && !is_upload_complete_; }
  void compose_head(const Caller& caller, HeadText& out);
  void compose_replay(HeadText& out);
  void accept_head(Response& response);
  void end_response();
  void end_failed();
  void count_out();
  void enter_member();
  void change_member(Member& quicker);
  void leave_member();
  UpstreamCounters& counters() const { return upstream_->metrics->of(worker_.index); }
  void finish_lease();
  void reset();
  static void release(Body::Source* self);

  Worker& worker_;
  int users_ = 0;  // the response's body, and the upload

  // What is to be sent.
  const UpstreamState* upstream_ = nullptr;
  const UpstreamTimeouts* timeouts_ = nullptr;
  SelectionPin selection_;
  Member* member_ = nullptr;                  // one of the selection's
  std::vector<const Member*> tried_;
  std::optional<std::uint64_t> hash_;
  std::string_view cookie_;
  Method method_ = Method::get;
  std::string_view upgrade_;
  Body body_;
  std::optional<std::uint64_t> body_size_;
  std::uint64_t uploaded_ = 0;
  HeadText head_;                   // while it waits to be written
  std::string_view first_content_;  // what of the body was there when the head was sent
  std::string tail_;                // what follows it, where the whole body goes with the head
  bool has_body_ = false;
  bool is_repeatable_ = false;
  bool expects_continue_ = false;

  // Further tries.
  unsigned retries_left_ = 0;
  bool has_budget_ = false;         // for the present retry, or the one that is next
  bool is_granted_ = false;         // for the next
  bool is_denied_ = false;          // there was none at some time
  bool is_try_over_ = false;        // its time is
  bool is_status_retried_ = false;
  bool has_gone_back_ = false;      // to endpoints that were tried before, since the others took no connection
  std::string kept_;                // of the body, to be sent again
  bool keeps_body_ = false;         // all that was uploaded so far is kept
  bool is_kept_whole_ = false;
  bool is_detached_ = false;        // what is uploaded is only kept, the connection is gone
  Time began_;  // when the first try was sent
  struct Wait;
  Wait* waits_ = nullptr;           // what `run` waits for between two tries
  Lease::Connecting* connecting_ = nullptr;
  Gather pieces_;

  // The connection, and what was read from it.
  Lease lease_;
  std::optional<h1::ResponseCodec> codec_;
  std::uint64_t codec_of_ = 0;     // the number of the snapshot whose limits it has; 0: there is none
  std::size_t head_limit_ = 0;     // one of them
  Buffer buffer_;

  // How far it is, up to the head of the response.
  Step step_ = Step::begin;
  bool is_second_ = false;         // on a new connection, since the first was stale
  bool is_nothing_sent_ = false;   // the connection broke before it took a byte
  Caller* caller_ = nullptr;       // who waits without a coroutine, and where the head goes
  Response* response_ = nullptr;
  Result<> outcome_;
  Time sent_;     // when the request was, but for an upload
  Time give_up_;  // on this try, perhaps
  Time last_;     // on all
  bool has_received_ = false;      // anything on this connection
  int interim_ = 0;                // how many interim responses
  std::size_t interim_size_ = 0;   // of the present one

  bool is_inside_ = false;        // the gate of the upstream
  Breaker::Pass pass_ = Breaker::Pass::no;  // of the upstream's breaker
  bool is_counted_ = false;       // in the running requests of its endpoint
  bool is_running_ = false;       // in those of the upstream
  bool has_head_ = false;         // of the response
  bool has_ended_ = false;        // the response was read to its end
  Calls* calls_ = nullptr;        // of the request; contains this one
  bool is_upload_begun_ = false;
  bool is_uploading_ = false;
  bool is_upload_complete_ = false;
  // The upstream has not said that it wants the content; one that answers without may leave it unread, for the next request.
  bool awaits_continue_ = false;
  bool is_aborted_ = false;       // the response was dropped; an upload only has to end
  std::optional<Failure> failure_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
