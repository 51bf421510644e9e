/// \file
/// The part of a call that chooses endpoints, and decides what follows when a try has failed: docs/upstreams.md has it as a picture.
#include "proxy/call.hpp"

#include <algorithm>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

/// How often a request looks for budget before it gives up.
constexpr int looks_for_budget = 2;

/// What may be different at the next try.
bool is_worth_another(const std::error_code& code) {
  return code == Error::upstream_reset || code == Error::upstream_timeout;
}

}  // namespace

struct Call::Wait {
  Event over;
  net::Wheel::Deadline deadline{[](void* wait) { static_cast<Wait*>(wait)->over.notify(); }, this};
};

// Whether the upstream takes the request now. If it never will, that is the outcome; else it may take it later.
bool Call::enter() {
  if (upstream_->options.breaker && pass_ == Breaker::Pass::no) pass_ = upstream_->enter_breaker();
  if (upstream_->options.breaker && pass_ == Breaker::Pass::no) {
    outcome_ = Failure(Error::circuit_open, Origin::upstream, Retry::another);
    return false;
  }
  if (upstream_->options.requests > 0 && !is_inside_) is_inside_ = upstream_->gate().enter(upstream_->options.requests);
  return is_inside_ || upstream_->options.requests == 0;
}

// Waits until others have ended.
Task<> Call::wait_for_turn() {
  const UpstreamOptions& options = upstream_->options;
  const std::shared_ptr<Gate::Waiter> waiter = upstream_->gate().queue(options.requests, options.queue.length, worker_.io);
  if (waiter && !waiter->is_in) {
    Wait wait;
    worker_.wheel.arm(wait.deadline, options.queue.time);
    waits_ = &wait;
    waiter->event = &wait.over;
    co_await wait.over.wait();
    waiter->event = nullptr;
    waits_ = nullptr;
  }
  is_inside_ = waiter && upstream_->gate().settle(waiter);
  if (failure_) outcome_ = *failure_;
  else if (!is_inside_) outcome_ = Failure(Error::upstream_busy, Origin::upstream, Retry::another);
}

void Call::leave_breaker(Breaker::Ending how) {
  const Breaker::Pass pass = std::exchange(pass_, Breaker::Pass::no);
  if (pass != Breaker::Pass::no) upstream_->leave_breaker(pass, how);
}

bool Call::pick() {
  step_ = Step::unsent;
  selection_ = upstream_->selection(worker_.index);
  Member* picked = nullptr;
  if (!cookie_.empty() && tried_.empty()) picked = selection_->stuck(cookie_);
  if (!picked) picked = selection_->pick(worker_.random, hash_, tried_);
  member_ = picked;
  if (!picked) return false;
  enter_member();
  return true;
}

void Call::enter_member() {
  // Where there is no choice nobody needs to know.
  is_counted_ = selection_->entries().size() > 1;
  if (!is_counted_) return;
  member_->requests.fetch_add(1, std::memory_order_relaxed);
  member_->endpoint->running.fetch_add(1, std::memory_order_relaxed);
}

// Another one, with the same Host, was quicker to connect to.
void Call::change_member(Member& quicker) {
  if (is_counted_) leave_member();
  member_ = &quicker;
  enter_member();
}

// Goes on with an endpoint that was not tried; false if there is none.
bool Call::pick_again() {
  if (std::exchange(is_counted_, false)) leave_member();
  if (!pick()) return false;
  is_second_ = false;
  is_detached_ = false;
  outcome_ = {};
  return true;
}

void Call::leave_member() {
  member_->endpoint->running.fetch_sub(1, std::memory_order_relaxed);
  // A trial that told nothing is no trial.
  if (member_->has_history.load(std::memory_order_relaxed)) member_->is_on_trial.store(false, std::memory_order_relaxed);
}

// After a try that failed: whether there is another one, for `run` to make.
Task<bool> Call::go_on(Response& response) {
  if (failure_ || !member_) co_return false;
  if (may_replace_lease()) {
    lease_.close();
    buffer_.clear();
    is_second_ = true;
    step_ = Step::unsent;
    outcome_ = {};
    co_return true;
  }
  if (!std::exchange(is_granted_, false)) end_retry();
  const Failure failed = outcome_.error();
  const bool has_answered = std::exchange(is_status_retried_, false);
  if (has_answered) {
    const bool has_budget = co_await wait_for_budget();
    if (failure_) co_return false;
    if (!has_budget) {  // then this answer is better than none
      accept_head(response);
      outcome_ = {};
      step_ = Step::complete;
      co_return true;
    }
  } else {
    tell(failed.code);
  }
  lease_.close();
  buffer_.clear();
  if (failed.retry == Retry::another) {  // no connection: nothing was sent, and each endpoint is asked once
    const Member* const refused = member_;
    tried_.push_back(refused);
    if (pick_again()) co_return true;
    // But one that took the request before may have it for the retry that this was.
    if (began_ == std::chrono::steady_clock::time_point() || std::exchange(has_gone_back_, true)) co_return false;
    tried_.assign(1, refused);
    co_return pick_again();
  }
  if ((!has_answered && !is_worth_another(failed.code)) || !may_retry()) co_return false;

  // What is still uploaded is for the next try.
  is_detached_ = true;
  while (is_uploading_ && keeps_body_ && !failure_) co_await pause(timeouts_->body);
  if (failure_) co_return false;
  if (!can_repeat_body()) {
    counters().retries_too_large.add();
    worker_.shared.log(LogLevel::warning, "upstream " + upstream_->name + ": a request is not tried again, because its body is larger than retries.body (" +
                                              std::to_string(upstream_->options.retries.body) + " bytes)");
    co_return false;
  }
  const bool has_budget = co_await wait_for_budget();
  if (!has_budget) co_return false;
  --retries_left_;
  has_gone_back_ = false;
  counters().retries.add();
  tried_.push_back(member_);
  if (pick_again()) co_return true;
  tried_.clear();  // all have been: one of them again
  co_return pick_again();
}

// Waits as long as a retry should, and until there is budget for it.
Task<bool> Call::wait_for_budget() {
  const RetryOptions& options = upstream_->options.retries;
  const unsigned made = options.max - retries_left_;
  Duration wait = options.backoff * (1u << std::min(made, 10u));
  for (int looks = 0; looks < looks_for_budget && !has_budget_; ++looks, wait *= 2) {
    // The first time another endpoint is asked, which has nothing to recover from.
    if (made > 0 || looks > 0 || selection_->entries().size() < 2)
      co_await pause(Duration(static_cast<Duration::rep>(worker_.random.below(static_cast<std::size_t>(wait.count()) + 1))));
    if (failure_ || !may_retry()) co_return false;
    take_budget();
  }
  co_return has_budget_;
}

// Waits, but only until the call is abandoned or an upload ends.
Task<> Call::pause(Duration time) {
  Wait wait;
  worker_.wheel.arm(wait.deadline, time);
  waits_ = &wait;
  co_await wait.over.wait();
  waits_ = nullptr;
}

// `is_soon`: not from inside this call.
void Call::end_pause(bool is_soon) {
  if (is_soon) worker_.wheel.arm(waits_->deadline, Duration(0));
  else waits_->over.notify();
}

bool Call::may_retry() const {
  return retries_left_ > 0 && is_repeatable_ && std::chrono::steady_clock::now() < began_ + upstream_->options.retries.total;
}

// Whether it is worth while to end a try early.
bool Call::may_try_elsewhere() const { return retries_left_ > 0 && is_repeatable_ && selection_->entries().size() > 1; }

// Whether an answer with this status is none, if another try can be made.
bool Call::is_retried_status(int status) const {
  const std::vector<int>& statuses = upstream_->options.retries.statuses;
  if (statuses.empty() || std::find(statuses.begin(), statuses.end(), status) == statuses.end()) return false;
  return may_retry() && !is_uploading_ && can_repeat_body();
}

// Tells what the try saw of its endpoint.
void Call::tell(Sign sign) {
  if (is_counted_) upstream_->report(*member_, sign, worker_.index);
}

void Call::tell(const std::error_code& code) {
  if (code == Error::connect_failed || code == Error::connect_timeout) tell(Sign::refused);
  else if (is_worth_another(code) || code == Error::bad_response || code == Error::response_too_large) tell(Sign::failed);
}

// For the next retry, whatever the present one had.
bool Call::take_budget() {
  end_retry();
  has_budget_ = upstream_->begin_retry();
  if (!has_budget_ && !std::exchange(is_denied_, true)) counters().retries_denied.add();
  return has_budget_;
}

void Call::end_retry() {
  if (std::exchange(has_budget_, false)) upstream_->end_retry();
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
