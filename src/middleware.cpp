#include <gw/middleware.hpp>

#include "exception_text.hpp"

#include <asio/cancellation_type.hpp>
#include <asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <stdexcept>

namespace gw {
inline namespace v0 {
namespace {

/// What `f` throws, or null. Together with the `catch` of `run_from`, which cannot be in a function
/// because it encloses a `co_await`, the one place where exceptions of user code end.
template <class F>
std::exception_ptr thrown_by(F&& f) noexcept {
  try {
    f();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

std::string who(const Stage* stage) { return stage ? "stage \"" + stage->name() + '"' : "the handler"; }

void log_thrown(const Context& c, const Stage* stage, const std::exception_ptr& error) {
  c.log(LogLevel::error, who(stage) + " threw: " + detail::text_of(error));
}

/// Answers 500 where user code threw.
void settle(Context& c, const Stage* stage, const std::exception_ptr& error) {
  if (!error) return;
  log_thrown(c, stage, error);
  c.fail(Failure(Error::handler_failed));
}

/// The same where it had to answer; null for `stage` is the handler.
void settle_answer(Context& c, const Stage* stage, const std::exception_ptr& error) {
  settle(c, stage, error);
  if (c.has_reply()) return;
  c.log(LogLevel::error, who(stage) + (stage ? " neither replied nor awaited next()" : " did not reply"));
  c.fail(Failure(Error::handler_failed));
}

}  // namespace

Task<> Next::operator()() const {
  std::size_t& entered = detail::ContextAccess::entered(*context_);
  if (entered >= index_) throw std::logic_error("next() was called twice");
  entered = index_;
  return pipeline_->run_from(*context_, *last_, index_);
}

Pipeline::Pipeline(std::vector<Stage> stages)
    : stages_(std::move(stages)),
      waits_(std::any_of(stages_.begin(), stages_.end(), [](const Stage& s) { return s.around_ != nullptr; })) {}

bool Pipeline::run_now(Context& c, const Handler& last) const {
  if (waits_ || last.waits()) return false;
  const std::size_t reached = enter(c, 0);
  if (!c.has_reply()) settle_answer(c, nullptr, thrown_by([&] { last.call_(last.object_.get(), c); }));
  leave(c, 0, reached);
  return true;
}

void Pipeline::settle_thrown(Context& c, const std::exception_ptr& error) const { settle(c, nullptr, error); }

Task<> Pipeline::run(Context& c, const Handler& last) const {
  detail::ContextAccess::entered(c) = 0;
  return run_from(c, last, 0);
}

void Pipeline::done(const Context& c) const {
  for (const Stage& stage : stages_) {
    if (!stage.done_) continue;
    if (const auto error = thrown_by([&] { stage.done_(stage.object_.get(), c); })) log_thrown(c, &stage, error);
  }
}

Task<> Pipeline::run_from(Context& c, const Handler& last, std::size_t from) const {
  const std::size_t reached = enter(c, from);
  if (!c.has_reply()) {
    const Stage* const stage = reached < stages_.size() ? &stages_[reached] : nullptr;
    std::exception_ptr error;
    try {
      if (stage) co_await stage->around_(stage->object_.get(), c, Next(*this, c, last, reached + 1));
      else if (last.waits()) co_await last.wait_(last.object_.get(), c);
      else last.call_(last.object_.get(), c);
    } catch (...) {
      error = std::current_exception();
    }
    // A cancelled wait throws as well, and is nobody's mistake.
    const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (error && cancellation.cancelled() != asio::cancellation_type::none) c.fail(Failure(Error::client_gone, Origin::client));
    else settle_answer(c, stage, error);
  }
  leave(c, from, reached);
}

std::size_t Pipeline::enter(Context& c, std::size_t from) const {
  std::size_t i = from;
  const auto error = thrown_by([&] {
    for (; !c.has_reply() && i < stages_.size() && !stages_[i].around_; ++i) {
      if (!stages_[i].request_) continue;
      stages_[i].request_(stages_[i].object_.get(), c);
      if (c.has_reply()) return;
    }
  });
  if (error) settle(c, &stages_[i], error);
  return i;
}

void Pipeline::leave(Context& c, std::size_t from, std::size_t reached) const {
  for (std::size_t i = reached; i-- > from;) {
    const Stage& stage = stages_[i];
    if (stage.response_) settle(c, &stage, thrown_by([&] { stage.response_(stage.object_.get(), c); }));
  }
}

}  // namespace v0
}  // namespace gw
