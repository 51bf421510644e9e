/// \file
/// One client request from its parsed head to the head of its response: route, stages, handler.
#pragma once

#include <gw/context.hpp>

#include "proxy/call.hpp"
#include "proxy/forward.hpp"
#include "proxy/snapshot.hpp"
#include "proxy/worker.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// What an exchange needs of the client that asked. `Gateway::dispatch` has a client without a socket.
class Client {
 public:
  virtual ~Client() = default;
  /// What `Exchange::forward_now` has begun has ended: there is a response. May destroy the exchange.
  virtual void answered() {}
  /// What `Exchange::forward_now` has begun needs `Exchange::run` to go on.
  virtual void stalled() {}
  /// Relays an interim response (1xx), if the client can understand it.
  virtual Task<> interim(const Response& response) = 0;
  /// Sets the deadlines and rates of this request, which its route has of its own.
  virtual void set_bounds([[maybe_unused]] const Bounds& bounds) {}
  /// Lets at most `limit` bytes of the request's body be read; a body that is known to be larger fails at once. Only
  /// called if there is one, and with the gateway's limit only for a body that is larger.
  virtual void limit_body([[maybe_unused]] std::uint64_t limit) {}
};

/// The other end of a client's connection.
struct Peer {
  std::string_view address;            ///< IP address as text; empty: no client outside
  std::uint16_t port = 0;              ///< where it connected to
  const Networks* trusted = nullptr;   ///< who may stand between it and the client; null: it is not trusted itself. Read by `begin` alone
};

/// Holds a request's context, pins the snapshot it began with, and is the gateway that stages and
/// handlers see. Reused for one request after the other; one worker.
class Exchange final : public detail::Host, private Caller {
 public:
  Exchange(Worker& worker, Client& client) : worker_(worker), client_(client) {}

  Context context;

  /// Begins a request, whose head is in `context.req`: pins the worker's snapshot, and decides who the client is.
  void begin(const Peer& peer);
  /// Finds the route of `context.req`, runs stages and handler, and leaves the response in
  /// `context.res`, its body unread. False: something has to wait; call `run` for it.
  bool run_now(bool wants_upgrade);

  /// How far `forward_now` came.
  enum class Progress {
    answered,   ///< a stage replied
    forwarded,  ///< the request is with an upstream; the client hears `answered` or `stalled` later
    waits,      ///< nothing has run, or what has needs `run` to go on
  };
  /// After `run_now`, which could not: if no stage waits and the route forwards, runs request hooks and sends the request, and the
  /// response hooks when its response is there. A coroutine for that would cost more than all else of it.
  Progress forward_now();
  /// Runs what `run_now` and `forward_now` have left.
  Task<> run();
  /// Finds the route of `context.req` as `run_now` does, and runs nothing. The handler that would end the pipeline: the route's, or the
  /// snapshot's for what no route takes.
  const Handler& find(bool wants_upgrade);
  /// Appends the head that `forward` sends to the endpoint with this Host, framing included. False if it sends none; then the context
  /// has a reply.
  bool compose_head(HeadText& out, const Forward& forward, std::string_view host_field);
  /// Nobody waits for the response any more: makes what waits for an upstream fail soon.
  void abandon(Failure failure);
  /// Makes uploads end soon, whose responses nobody reads on.
  void stop_uploads();
  /// The call whose connection is to become a tunnel, if the response is a 101; or null.
  Call* tunnel();
  /// Whether the upstream has answered and wants the rest of the client's content all the same.
  bool wants_rest() const noexcept;
  /// Whether "Expect: 100-continue" was passed on: then the upstream says when to go on.
  bool is_expectation_forwarded() const noexcept { return forward_ && context.req.headers.has("expect"); }
  /// Calls the `done` hooks, counts the request, and forgets the request. Uploads must have ended.
  void end();

  /// What templates of the route take from the request.
  TemplateValues template_values() const noexcept;

  /// The calls that this request has started and that still run.
  Calls calls;
  const Snapshot& snapshot() const noexcept { return **snapshot_; }

  Task<Result<Response>> send(const Upstream& upstream, Request request) override;
  void limit_body(std::uint64_t limit) override;
  void begin_reading() override;
  void end_reading() override;
  std::string metrics(bool is_openmetrics) override;
  void log(LogLevel level, std::string_view line) override { worker_.shared.log(level, line); }

 private:
  friend class Forward;

  void find_route();
  /// Takes the stages of a route over, but not what it does with a request.
  const RoutePlan& take(std::size_t route, std::string_view name, const Params& params);
  /// A preflight of CORS that no route takes is for the stages of the route whose method it asks about: `cors`, if
  /// that is one of them. Without it the answer stays 405.
  void find_preflighted_route(RouteQuery query);
  void bound(const RoutePlan& plan);
  bool is_body_above(std::uint64_t limit) const;
  Task<> forward(const Forward& forward);
  bool prepare(const Forward& forward);
  void set_sticky(const StickyOptions& options);
  Call& begin_call(const Forward& forward);
  Task<> run_forwarded();
  Task<> run_with_fallback(Call& call);

  // The caller of what is forwarded.
  void write_head(HeadText& out, std::string_view host_field) const override;
  Task<> interim(const Response& response) override { return client_.interim(response); }
  void received(Result<> outcome) override;
  void failing(Call& call, const Failure& why) override;
  void stalled() override;

  Worker& worker_;
  Client& client_;
  std::uint16_t port_ = 0;         // where the peer connected to
  std::shared_ptr<const std::shared_ptr<const Snapshot>> snapshot_;
  const Pipeline* pipeline_ = nullptr;
  const Handler* handler_ = nullptr;
  const RoutePlan* plan_ = nullptr;  // of the route, if there is one
  RouteMetrics* metrics_ = nullptr;
  std::size_t prefix_length_ = 0;
  std::uint64_t body_limit_ = 0;
  std::string path_;               // where a path is normalised, if it must be
  std::string unmerged_path_;      // the same with "//", if a route may want it
  Params raw_params_;              // still percent-encoded, of a route with a template
  std::string rewritten_;          // the path for the upstream, of a route that rewrites
  bool wants_upgrade_ = false;
  std::string offer_;                 // protocols that the client wants and the route allows
  const Forward* forward_ = nullptr;  // once the request is forwarded
  Call* forwarded_ = nullptr;         // its call, unless that failed
  const Forward* falls_back_to_ = nullptr;  // who gets the request next, since the upstream has failed
  std::size_t reached_ = 0;           // the stages whose request hooks `forward_now` has run
  bool tells_client_ = false;         // when there is a response, since no coroutine waits for it
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
