/// \file
/// Level 2: stages, handlers, and the pipeline that runs them in order.
#pragma once

#include <gw/context.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

class Handler;
class Pipeline;

/// The rest of the pipeline, as a coroutine stage sees it: `co_await next();`, at most once (a second
/// call throws std::logic_error), and only while the stage runs. Afterwards `c.res` is the response
/// with its body unread: what throws below is an answer 500 here, with `c.failure()`. After
/// `c.reply` it does nothing.
class GW_EXPORT Next {
 public:
  /// For the pipeline: what begins with stage `index`. All arguments must outlive it.
  Next(const Pipeline& pipeline, Context& context, const Handler& last, std::size_t index) noexcept
      : pipeline_(&pipeline), context_(&context), last_(&last), index_(index) {}
  /// Runs the rest once the task is awaited; throws at the second call already.
  Task<> operator()() const;

 private:
  const Pipeline* pipeline_;
  Context* context_;
  const Handler* last_;
  std::size_t index_;
};

namespace detail {

template <class T>
concept RequestHook = requires(const T& t, Context& c) {
  { t.request(c) } -> std::same_as<void>;
};
template <class T>
concept ResponseHook = requires(const T& t, Context& c) {
  { t.response(c) } -> std::same_as<void>;
};
template <class T>
concept DoneHook = requires(const T& t, const Context& c) {
  { t.done(c) } -> std::same_as<void>;
};
template <class T>
concept ReopenHook = requires(const T& t) { t.reopen(); };
template <class T>
concept DroppedHook = requires(const T& t) {
  { t.dropped() } -> std::same_as<std::uint64_t>;
};
template <class T>
concept InheritHook = requires(const T& t, const T& old) {
  { t.inherit(old) } -> std::same_as<T>;
};
template <class T>
concept HookStage = RequestHook<T> || ResponseHook<T> || DoneHook<T>;
template <class T>
concept CoroutineStage = requires(const T& t, Context& c, Next n) {
  { t(c, n) } -> std::same_as<Task<>>;
};

// Whether T has something called so: a member function, or what a call on a mutable object finds.
// A hook of the wrong shape would silently never run; so it is refused with a clear message.
template <class T>
concept HasRequest = requires(T& t, Context& c) { t.request(c); } ||
                     requires { requires std::is_member_function_pointer_v<decltype(&T::request)>; };
template <class T>
concept HasResponse = requires(T& t, Context& c) { t.response(c); } ||
                      requires { requires std::is_member_function_pointer_v<decltype(&T::response)>; };
template <class T>
concept HasDone = requires(T& t, Context& c) { t.done(c); } ||
                  requires { requires std::is_member_function_pointer_v<decltype(&T::done)>; };

template <class T>
concept NamedStage = requires { std::string(T::stage_name); };

// The name of a stage (StageConfig), so never a stage itself.
template <class T>
concept Text = std::convertible_to<T, std::string_view>;

}  // namespace detail

/// One step of middleware, shared by all workers and immutable. Its shape says its kind:
/// - *hook stage*: any of `void request(Context&) const`, `void response(Context&) const`,
///   `void done(const Context&) const`, and `void reopen() const` (log files were rotated),
///   `std::uint64_t dropped() const` (lines of a log that were lost; metrics tell it);
/// - *coroutine stage*: a callable `Task<> (Context&, Next) const`; it may have `done` and `reopen` too.
///
/// A stage `T` whose state is to survive a reload has `T inherit(const T& old) const`: this stage with
/// the state of the one that stood in its place. Both may serve requests meanwhile.
///
/// A type may name itself: `static constexpr std::string_view stage_name = "need_user";`.
class Stage {
 public:
  /// Takes a stage of either kind over, under the name that its type gives, else "stage".
  template <class T>
    requires(!std::same_as<std::decay_t<T>, Stage> && !detail::Text<T>)
  Stage(T&& object) : Stage(std::forward<T>(object), default_name<std::decay_t<T>>()) {}

  /// The same under a name of its own.
  template <class T>
    requires(!std::same_as<std::decay_t<T>, Stage> && !detail::Text<T>)
  Stage(T&& object, std::string name) : name_(std::move(name)) {
    using U = std::decay_t<T>;
    static_assert(detail::RequestHook<U> || !detail::HasRequest<U>,
                  "a request hook is `void request(gw::Context&) const`: workers share one object");
    static_assert(detail::ResponseHook<U> || !detail::HasResponse<U>,
                  "a response hook is `void response(gw::Context&) const`: workers share one object");
    static_assert(detail::DoneHook<U> || !detail::HasDone<U>,
                  "a done hook is `void done(const gw::Context&) const`: workers share one object");
    static_assert(detail::HookStage<U> || detail::CoroutineStage<U>,
                  "a stage has request(Context&), response(Context&) or done(const Context&), all const, "
                  "or is called as Task<> (Context&, Next)");
    static_assert(!detail::CoroutineStage<U> || (!detail::RequestHook<U> && !detail::ResponseHook<U>),
                  "a stage that waits does everything in its call: it has no request or response hook");
    object_ = std::make_shared<const U>(std::forward<T>(object));
    if constexpr (detail::RequestHook<U>) request_ = [](const void* o, Context& c) { static_cast<const U*>(o)->request(c); };
    if constexpr (detail::ResponseHook<U>) response_ = [](const void* o, Context& c) { static_cast<const U*>(o)->response(c); };
    if constexpr (detail::DoneHook<U>) done_ = [](const void* o, const Context& c) { static_cast<const U*>(o)->done(c); };
    if constexpr (detail::ReopenHook<U>) reopen_ = [](const void* o) { static_cast<const U*>(o)->reopen(); };
    if constexpr (detail::DroppedHook<U>) dropped_ = [](const void* o) { return static_cast<const U*>(o)->dropped(); };
    if constexpr (detail::InheritHook<U>) {
      type_ = &type_tag<U>;
      inherit_ = [](const void* o, const void* old) -> std::shared_ptr<const void> {
        return std::make_shared<const U>(static_cast<const U*>(o)->inherit(*static_cast<const U*>(old)));
      };
    }
    if constexpr (detail::CoroutineStage<U>) around_ = [](const void* o, Context& c, Next n) { return (*static_cast<const U*>(o))(c, n); };
  }

  /// What logs call it; it need not be unique.
  const std::string& name() const noexcept { return name_; }
  /// Calls the stage's `reopen`, if it has one. Any thread.
  void reopen() const {
    if (reopen_) reopen_(object_.get());
  }
  /// How many lines the stage had to drop so far, as its `dropped` says, if it has one. Any thread.
  std::uint64_t dropped() const { return dropped_ ? dropped_(object_.get()) : 0; }
  /// The same for all copies of a stage, and for them alone.
  const void* identity() const noexcept { return object_.get(); }
  /// Copies of a stage are equal, and nothing else is.
  friend bool operator==(const Stage& a, const Stage& b) noexcept { return a.object_ == b.object_; }
  /// Whether both can hand state on, and are of one type.
  bool can_inherit(const Stage& old) const noexcept { return inherit_ && type_ == old.type_; }
  /// This stage with the state of `old`, from which it can inherit. The same object has its own already.
  Stage inherit(const Stage& old) const {
    GW_ASSERT(can_inherit(old));
    Stage heir(*this);
    if (object_ != old.object_) heir.object_ = inherit_(object_.get(), old.object_.get());
    return heir;
  }

 private:
  friend class Pipeline;
  template <class U>
  static constexpr char type_tag{};
  template <class U>
  static std::string default_name() {
    if constexpr (detail::NamedStage<U>) return std::string(U::stage_name);
    else return "stage";
  }

  std::string name_;
  std::shared_ptr<const void> object_;
  void (*request_)(const void*, Context&) = nullptr;
  void (*response_)(const void*, Context&) = nullptr;
  void (*done_)(const void*, const Context&) = nullptr;
  void (*reopen_)(const void*) = nullptr;
  std::uint64_t (*dropped_)(const void*) = nullptr;
  const char* type_ = nullptr;  // of the object, if it can inherit
  std::shared_ptr<const void> (*inherit_)(const void*, const void*) = nullptr;
  Task<> (*around_)(const void*, Context&, Next) = nullptr;
};

/// What ends a pipeline: code that answers. A callable with `(Context&)` that returns something
/// convertible to `Response`, or nothing after calling `c.reply`, or a `Task` of either.
class Handler {
 public:
  /// Takes a callable over; all workers share it, so its call is const.
  template <class F>
    requires(!std::same_as<std::decay_t<F>, Handler> && std::invocable<const std::decay_t<F>&, Context&>)
  Handler(F&& f) : object_(std::make_shared<const std::decay_t<F>>(std::forward<F>(f))) {
    using U = std::decay_t<F>;
    using R = std::invoke_result_t<const U&, Context&>;
    if constexpr (std::same_as<R, Task<>>) {
      wait_ = [](const void* o, Context& c) { return (*static_cast<const U*>(o))(c); };
    } else if constexpr (is_task<R>) {
      wait_ = [](const void* o, Context& c) { return reply_later<U>(o, c); };
    } else if constexpr (std::is_void_v<R>) {
      call_ = [](const void* o, Context& c) { (*static_cast<const U*>(o))(c); };
    } else {
      static_assert(std::convertible_to<R, Response>, "a handler returns a gw::Response or what converts to one: status, text, gw::Json");
      call_ = [](const void* o, Context& c) { c.reply(Response((*static_cast<const U*>(o))(c))); };
    }
  }

  /// Whether it is a coroutine.
  bool waits() const noexcept { return wait_ != nullptr; }
  /// Copies of a handler are equal, and nothing else is.
  friend bool operator==(const Handler& a, const Handler& b) noexcept { return a.object_ == b.object_; }

 private:
  friend class Pipeline;
  template <class R>
  static constexpr bool is_task = false;
  template <class U>
  static Task<> reply_later(const void* o, Context& c) {
    Response response(co_await (*static_cast<const U*>(o))(c));
    c.reply(std::move(response));
  }

  std::shared_ptr<const void> object_;
  void (*call_)(const void*, Context&) = nullptr;
  Task<> (*wait_)(const void*, Context&) = nullptr;
};
template <class T>
inline constexpr bool Handler::is_task<Task<T>> = true;

/// Stages in order of execution, compiled once and then only read. Every worker may run it.
///
/// Request hooks run first to last; a reply stops them. Then response hooks run in reverse, only of
/// stages whose request hook was passed: not that of the stage that replied. User code may throw: it
/// is caught here and nowhere else, logged, and answered 500 (`Error::handler_failed`), as is code
/// that does not answer. What throws because the request was cancelled is `Error::client_gone`.
///
/// Const, so safe from every worker; the context belongs to the calling one.
class GW_EXPORT Pipeline {
 public:
  /// The stages in order of execution.
  explicit Pipeline(std::vector<Stage> stages);

  /// The same, in order. Lives as long as the pipeline.
  const std::vector<Stage>& stages() const noexcept { return stages_; }

  /// Runs stages and `last` and leaves the answer in `c.res`, if nothing of them is a coroutine;
  /// otherwise false, and nothing has run. `c` has no reply yet.
  bool run_now(Context& c, const Handler& last) const;
  /// Runs stages and `last` and leaves the answer in `c.res`; there is one afterwards.
  /// All arguments must live until the task has ended.
  Task<> run(Context& c, const Handler& last) const;
  /// Whether a stage is a coroutine.
  bool waits() const noexcept { return waits_; }
  /// Runs request hooks, for whoever answers a request in a way of its own, if no stage waits: how many stages it came to, for `leave`.
  /// There may be a reply already.
  std::size_t enter(Context& c) const { return enter(c, 0); }
  /// What the handler threw, for the same: logged, and answered 500.
  void settle_thrown(Context& c, const std::exception_ptr& error) const;
  /// Runs the response hooks behind `enter`; there is a reply.
  void leave(Context& c, std::size_t reached) const { leave(c, 0, reached); }
  /// Calls the `done` hooks of all stages, in order; what they throw is logged.
  void done(const Context& c) const;

 private:
  friend class Next;
  // Stages from `from` on, and `last`, both ways.
  Task<> run_from(Context& c, const Handler& last, std::size_t from) const;
  // Request hooks from `from` on; returns the stage that replied, threw or waits, or the number of stages.
  std::size_t enter(Context& c, std::size_t from) const;
  // Response hooks of [from, reached), in reverse.
  void leave(Context& c, std::size_t from, std::size_t reached) const;

  std::vector<Stage> stages_;
  bool waits_ = false;
};

}  // namespace v0
}  // namespace gw
