#include "proxy/call.hpp"

#include "proxy/fields.hpp"
#include "proxy/snapshot.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

// An upstream may send hints (103) and progress (102) before its answer; a flood of them is a fault.
constexpr int max_interim_responses = 32;

// Answers of a proxy or of a service that cannot answer. 500 is one of the application, which may be about this request alone.
bool is_failure(int status) { return status >= 502 && status <= 504; }

Failure upstream_failure(Error e, Retry retry = Retry::no) { return Failure(e, Origin::upstream, retry); }

}  // namespace

Task<> Caller::interim(const Response&) { co_return; }

Call::Call(Worker& worker) : worker_(worker) {}

Call& Call::begin(Worker& worker, Calls& calls, const UpstreamState& upstream, const Parts& parts, const Snapshot& snapshot) {
  std::unique_ptr<Call> call = worker.take_call();
  call->users_ = 1;
  call->calls_ = &calls;
  calls.running.push_back(call.get());
  call->upstream_ = &upstream;
  call->timeouts_ = parts.timeouts ? parts.timeouts : &upstream.options.timeouts;
  call->method_ = parts.method;
  call->upgrade_ = parts.upgrade;
  call->expects_continue_ = parts.expects_continue;
  call->is_repeatable_ = parts.is_repeatable || upstream.options.retries.all_methods;
  call->hash_ = parts.hash;
  call->cookie_ = parts.cookie;
  if (!parts.body.empty()) call->body_ = std::move(parts.body);
  if (call->codec_of_ != snapshot.number) {
    call->codec_.emplace(snapshot.limits);
    call->codec_of_ = snapshot.number;
    call->head_limit_ = snapshot.limits.head;
  }
  return *call.release();
}

Task<> Call::run(Caller& caller, Response& response) {
  struct Claim {  // an exception of the request's body ends the call
    ~Claim() {
      if (call) call->end_failed();
    }
    Call* call;
  } claim{this};

  // 1. Pick an endpoint.
  if (step_ == Step::begin) {
    if (upstream_->is_guarded() && outcome_ && !enter() && outcome_) co_await wait_for_turn();
    if (outcome_) prepare();
  }
  for (;;) {
    if (!outcome_) {
      // Not in the condition of the loop: GCC 12.2 awaits there whatever stands on the left of "||".
      const bool goes_on = co_await go_on(response);
      if (!goes_on && failure_) outcome_ = *failure_;
      if (!goes_on) break;
    }
    if (step_ == Step::unsent) {
      // 2. Acquire a connection.
      if (!lease_ && !is_second_) reuse_lease();
      if (!lease_) {
        Member* second = selection_->other_family(*member_, worker_.random, tried_);
        Lease::Connecting connecting;
        connecting_ = &connecting;
        Result<Lease> connected = co_await Lease::connect(worker_, *member_, second, *upstream_, timeouts_->connect, connecting);
        connecting_ = nullptr;
        if (!connected) {
          if (second) tried_.push_back(second);
          outcome_ = connected.error();
          continue;
        }
        lease_ = std::move(*connected);
        if (&lease_.endpoint() != member_->endpoint.get()) change_member(*second);
      }
      // 3. Send the head and what is there of the body; the rest of the body uploads beside.
      step_ = send(caller, response, std::chrono::steady_clock::now());
    }
    if (step_ == Step::writing) {
      const std::error_code ec = co_await pieces_.write(lease_.transport(), timeouts_->body);
      step_ = sent(ec, response, std::chrono::steady_clock::now());
    }

    // 4. Read the head of the response, even if not all could be sent: it may say why.
    while (step_ == Step::blocked || step_ == Step::interim) {
      bool is_readable = false;
      if (step_ == Step::interim) {
        co_await caller.interim(response);
        drop_interim();
      } else {
        is_readable = has_time_left(co_await lease_.transport().until(Side::read, time_left()));
      }
      step_ = advance_head(response, is_readable);
    }
    if (step_ == Step::complete) break;
  }
  claim.call = nullptr;
  conclude(caller, response);
}

bool Call::begin_now(Caller& caller, Response& response, Time now) {
  if (upstream_->is_guarded() && !enter()) return false;
  try {
    prepare();
  } catch (...) {
    end_failed();
    throw;
  }
  if (!outcome_) return false;
  reuse_lease();
  if (!lease_) return false;
  step_ = send(caller, response, now);
  if (step_ != Step::blocked) return false;
  caller_ = &caller;
  response_ = &response;
  lease_.transport().watch(Side::read, std::chrono::duration_cast<Duration>(give_up_ - sent_), &Call::head_arrived, this);
  return true;
}

void Call::head_arrived(void* self, Wake why) {
  Call& call = *static_cast<Call*>(self);
  Caller& caller = *std::exchange(call.caller_, nullptr);
  call.step_ = call.advance_head(*call.response_, call.has_time_left(why));
  if (call.step_ == Step::complete) call.conclude(caller, *call.response_);
  else caller.stalled();
}

// A reused connection that broke before it answered was stale: once more on a new one, if that is safe.
bool Call::may_replace_lease() const noexcept {
  return outcome_.error().retry == Retry::fresh && !is_second_ && (is_nothing_sent_ || may_repeat());
}

// The last that a call does before somebody reads its response; a failed one is over.
void Call::conclude(Caller& caller, Response& response) {
  end_retry();
  const Result<> outcome = outcome_;
  if (outcome) {
    counters().statuses.add(static_cast<std::uint32_t>(response.status));
    leave_breaker(is_failure(response.status) ? Breaker::Ending::failed : Breaker::Ending::good);
    response.body = Body(this, &Call::release);
  } else {
    leave_breaker(outcome.error().origin == Origin::upstream ? Breaker::Ending::failed : Breaker::Ending::unknown);
    caller.failing(*this, outcome.error());
    end_failed();
  }
  caller.received(outcome);
}

// Without a failure it was an exception that ended the call.
void Call::end_failed() {
  counters().failures.add(tally_key(outcome_ ? make_error_code(Error::handler_failed) : outcome_.error().code));
  release(this);
}

void Call::prepare() {
  body_size_ = body_.size();
  has_body_ = !body_.empty();
  retries_left_ = upstream_->options.retries.max;
  is_running_ = true;
  counters().requests.add();
  counters().running.up();
  if (!pick()) {
    outcome_ = upstream_failure(Error::no_endpoint);
    return;
  }
  if (selection_->is_panicking()) counters().panics.add();
  if (has_body_ && body_size_) {
    first_content_ = body_.ready().value_or(Chunk{});
    uploaded_ = first_content_.size();
  }
  is_upload_complete_ = !has_body_ || (body_size_ && uploaded_ == *body_size_);
  if (body_size_ && uploaded_ > *body_size_) outcome_ = Failure(Error::handler_failed);  // a source that lied about its size
}

void Call::reuse_lease() {
  // One that its peer closed a moment ago looks free; where the request could not be repeated, spend a system call to look. So, too, where
  // something has come: it would become the answer.
  const auto is_suspect = [this] { return !(is_repeatable_ && is_upload_complete_) || lease_.transport().has_news(); };
  do lease_ = Lease::reuse(worker_, member_->endpoint);
  while (lease_ && is_suspect() && !lease_.transport().is_quiet());
}

Call::Step Call::send(const Caller& caller, Response& response, Time now) {
  if (lease_.is_reused()) counters().reused.add();
  compose_head(caller, worker_.head);
  pieces_.clear();
  pieces_.add(worker_.head.text());
  pieces_.add(first_content_);
  if (!tail_.empty()) pieces_.add(tail_);
  const std::error_code ec = pieces_.write_now(lease_.transport());
  if (ec == asio::error::would_block) {
    head_ = std::move(worker_.head);
    return Step::writing;
  }
  is_nothing_sent_ = static_cast<bool>(ec);
  if (is_nothing_sent_) return fail(upstream_failure(Error::upstream_reset, lease_.is_reused() ? Retry::fresh : Retry::no));
  return sent(ec, response, now);
}

Call::Step Call::fail(Failure failure) {
  outcome_ = failure;
  return Step::failed;
}

Call::Step Call::sent(std::error_code ec, Response& response, Time now) {
  if (!ec) begin_upload();
  begin_head(now);
  return advance_head(response, false);
}

void Call::compose_head(const Caller& caller, HeadText& out) {
  out.clear();
  caller.write_head(out, member_->endpoint->host_field);
  append_request_framing(out, method_, has_body_, body_size_);
  awaits_continue_ = expects_continue_;
  if (is_upload_begun_) compose_replay(out);
}

void Call::begin_head(Time now) {
  codec_->reset(method_);
  sent_ = now;
  if (began_ == std::chrono::steady_clock::time_point()) began_ = sent_;
  last_ = sent_ + timeouts_->first_byte;
  if (sent_ != began_) last_ = std::min(last_, began_ + upstream_->options.retries.total);
  give_up_ = may_try_elsewhere() ? std::min(last_, sent_ + upstream_->options.retries.per_try) : last_;
  has_received_ = false;
  interim_ = 0;
}

Call::Step Call::advance_head(Response& response, bool is_readable) {
  if (failure_) return fail(*failure_);
  if (std::exchange(is_try_over_, false)) return fail(upstream_failure(Error::upstream_timeout));
  if (is_readable) {
    // Not sooner: most answers are passed on at once, so that the next one finds the same block in the processor's caches.
    if (buffer_.capacity() == 0) buffer_ = worker_.buffers.take(buffer_size(head_limit_));
    buffer_.make_room();
    std::error_code ec;
    const std::size_t n = lease_.transport().read(buffer_.room(), ec);
    if (ec == asio::error::would_block) return Step::blocked;
    if (ec) return fail(upstream_failure(Error::upstream_reset, lease_.is_reused() && !has_received_ ? Retry::fresh : Retry::no));
    has_received_ = true;
    buffer_.commit(n);
  }
  if (buffer_.empty()) return Step::blocked;

  const Result<std::size_t> size = codec_->head(buffer_.content(), response);
  if (!size) return fail(size.error());
  if (*size == 0) return Step::blocked;
  if (response.status < 200 && response.status != 101) {
    if (++interim_ > max_interim_responses) return fail(upstream_failure(Error::bad_response));
    if (response.status == 100) awaits_continue_ = false;
    strip_hop_by_hop(response.headers);
    interim_size_ = *size;
    return Step::interim;
  }
  buffer_.consume(*size);
  // Nobody asked for it, or for another protocol.
  if (response.status == 101 && !is_switch_to(response.headers, upgrade_)) return fail(upstream_failure(Error::bad_response));
  counters().heads.add(std::chrono::steady_clock::now() - sent_);
  tell(is_failure(response.status) ? Sign::failed : Sign::good);
  if (is_retried_status(response.status)) {
    is_status_retried_ = true;
    return fail(upstream_failure(Error::bad_response));
  }
  accept_head(response);
  return Step::complete;
}

void Call::drop_interim() {
  buffer_.consume(interim_size_);
  codec_->next_head();
}

Duration Call::time_left() const {
  const auto left = std::chrono::duration_cast<Duration>(give_up_ - std::chrono::steady_clock::now());
  return std::max(left, Duration(0));
}

// Whether a wait ended because there is something; if its time was over, the call fails.
bool Call::has_time_left(Wake wake) {
  if (wake != Wake::timed_out) return true;
  const auto now = std::chrono::steady_clock::now();
  if (is_uploading_) {
    // The time counts from the end of the request; the upload watches its own progress.
    last_ = now + timeouts_->first_byte;
    give_up_ = may_try_elsewhere() ? std::min(last_, now + upstream_->options.retries.per_try) : last_;
  } else if (give_up_ < last_) {
    // Only this try has lasted too long. Where no other may be made, it is better to wait on than to fail.
    is_try_over_ = is_granted_ = can_repeat_body() && may_retry() && take_budget();
    give_up_ = std::min(last_, now + upstream_->options.retries.per_try / 4);
  } else if (!failure_) {
    failure_ = upstream_failure(Error::upstream_timeout);
    tell(Sign::failed);
  }
  return false;
}

void Call::accept_head(Response& response) {
  buffer_.pin();
  has_head_ = true;
  strip_hop_by_hop(response.headers, response.status == 101 || response.status == 426);
  // What follows is no content: whoever looks for some finds the end, and the connection stays.
  if (response.status == 101) has_ended_ = true;
  else if (codec_->framing() == h1::Framing::none || (codec_->framing() == h1::Framing::length && codec_->length() == 0)) end_response();
}

void Call::abandon(Failure failure) {
  if (failure_ || has_ended_) return;
  failure_ = failure;
  if (caller_) {
    // Not from inside this call: with the next tick.
    lease_.transport().unwatch(Side::read);
    lease_.transport().watch(Side::read, Duration(0), &Call::head_arrived, this);
  } else if (waits_) {
    end_pause(true);
  } else if (connecting_) {
    worker_.wheel.arm(connecting_->end, Duration(0));
  } else if (lease_) {
    lease_.interrupt();
  }
}

void Call::count_out() {
  if (std::exchange(is_running_, false)) counters().running.down();
  if (std::exchange(is_inside_, false)) upstream_->gate().leave();
  if (std::exchange(is_counted_, false)) leave_member();
}

void Call::release(Body::Source* self) {
  Call& call = *static_cast<Call*>(self);
  call.stop_upload();
  call.drop();
}

void Call::drop() {
  if (--users_ > 0) return;
  std::erase(calls_->running, this);
  reset();
  worker_.give_call(std::unique_ptr<Call>(this));
}

void Call::reset() {
  count_out();
  leave_breaker(Breaker::Ending::unknown);
  end_retry();
  lease_.close();
  upstream_ = nullptr;
  selection_ = SelectionPin();
  member_ = nullptr;
  tried_.clear();
  hash_.reset();
  cookie_ = {};
  tail_.clear();
  kept_.clear();
  if (kept_.capacity() > 16 * 1024) kept_.shrink_to_fit();
  began_ = {};
  body_.clear();
  body_size_.reset();
  uploaded_ = 0;
  first_content_ = {};
  worker_.buffers.give(std::move(buffer_));
  buffer_ = Buffer();
  has_head_ = has_ended_ = is_upload_begun_ = is_uploading_ = is_upload_complete_ = is_aborted_ = is_second_ = is_nothing_sent_ = false;
  is_try_over_ = is_denied_ = is_granted_ = is_status_retried_ = has_gone_back_ = keeps_body_ = is_kept_whole_ = is_detached_ = false;
  step_ = Step::begin;
  outcome_ = {};
  failure_.reset();
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
