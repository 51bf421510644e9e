#include <doctest/doctest.h>

#include <gw/middleware.hpp>

#include "support/fake_host.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using gw::Context, gw::Handler, gw::Next, gw::Pipeline, gw::Stage, gw::Task;
using gw::detail::ContextAccess;

namespace {

/// What a recorded stage or handler does besides writing its name into the trace.
enum class Act { pass, reply, fail, nothing, throw_early, reply_late, throw_late, throw_other, twice, reply_and_next, throw_done };

/// A hook stage: ">a" when its request hook runs, "<a" for its response hook, "=a" for done.
struct Hooks {
  std::string name;
  Act act;
  std::string* trace;

  void request(Context& c) const {
    *trace += " >" + name;
    if (act == Act::reply) c.reply(403);
    if (act == Act::fail) c.fail(gw::Error::overloaded);
    if (act == Act::throw_early) throw std::runtime_error("early\nbird");
    if (act == Act::throw_other) throw 7;
  }
  void response(Context& c) const {
    *trace += " <" + name + std::to_string(c.res.status);
    if (act == Act::reply_late) c.reply(201);
    if (act == Act::throw_late) throw std::runtime_error("late");
  }
  void done(const Context& c) const {
    *trace += " =" + name + std::to_string(c.res.status);
    if (act == Act::throw_done) throw std::runtime_error("at the end");
  }
};

/// A coroutine stage: "(a" before next(), ")a" after it.
struct Around {
  std::string name;
  Act act;
  std::string* trace;

  Task<> operator()(Context& c, Next next) const {
    *trace += " (" + name;
    if (act == Act::nothing) co_return;
    if (act == Act::reply) co_return c.reply(401);
    if (act == Act::throw_early) throw std::runtime_error("early");
    if (act == Act::reply_and_next) c.reply(202);
    co_await next();
    *trace += " )" + name + std::to_string(c.res.status);
    if (act == Act::twice) co_await next();
    if (act == Act::reply_late) c.reply(203);
    if (act == Act::throw_late) throw std::runtime_error("late");
  }
};

/// Stages named a, b, c, ... in order.
struct Spec {
  char kind;  // 'h' hooks, 'w' waits
  Act act = Act::pass;
};

Pipeline pipeline_of(const std::vector<Spec>& specs, std::string& trace) {
  std::vector<Stage> stages;
  for (const Spec& spec : specs) {
    const std::string name(1, static_cast<char>('a' + stages.size()));
    if (spec.kind == 'h') stages.push_back(Stage(Hooks{name, spec.act, &trace}, name));
    else stages.push_back(Stage(Around{name, spec.act, &trace}, name));
  }
  return Pipeline(std::move(stages));
}

Handler handler_of(Act act, std::string& trace, bool waits) {
  const auto answer = [act, &trace](Context& c) {
    trace += " H";
    if (act == Act::throw_early) throw std::runtime_error("handler's");
    if (act == Act::fail) c.fail(gw::Failure(gw::Error::connect_failed, gw::Origin::upstream));
    if (act == Act::pass) c.reply(200);
  };
  if (!waits) return Handler(answer);
  return Handler([answer](Context& c) -> Task<> {
    answer(c);
    co_return;
  });
}

struct Row {
  const char* what;
  std::vector<Spec> stages;
  Act handler;
  std::string trace;
  int status;
  std::string failure;  // of c.failure(), or empty
  std::string logged;   // without the request's id
};

const std::string failed = "handler_failed";

std::string without_ids(std::string text) {
  for (std::size_t at; (at = text.find(" (request ")) != text.npos;) text.erase(at, text.find(')', at) + 1 - at);
  return text;
}

using enum Act;

const std::vector<Row> rows{
    {"nothing but a handler", {}, pass,
     " H", 200, "", ""},
    {"request hooks in order, response hooks in reverse", {{'h'}, {'h'}, {'h'}}, pass,
     " >a >b >c H <c200 <b200 <a200 =a200 =b200 =c200", 200, "", ""},
    {"a reply stops; its own response hook does not run", {{'h'}, {'h', reply}, {'h'}}, pass,
     " >a >b <a403 =a403 =b403 =c403", 403, "", ""},
    {"a failure stops too", {{'h'}, {'h', fail}}, pass,
     " >a >b <a503 =a503 =b503", 503, "overloaded", ""},
    {"a reply of the first stage", {{'h', reply}, {'h'}}, pass,
     " >a =a403 =b403", 403, "", ""},
    {"a request hook throws", {{'h'}, {'h', throw_early}, {'h'}}, pass,
     " >a >b <a500 =a500 =b500 =c500", 500, failed, "error: stage \"b\" threw: early bird\n"},
    {"something that is no exception", {{'h', throw_other}}, pass,
     " >a =a500", 500, failed, "error: stage \"a\" threw: something that is no std::exception\n"},
    {"a response hook replaces the response", {{'h'}, {'h', reply_late}, {'h'}}, pass,
     " >a >b >c H <c200 <b200 <a201 =a201 =b201 =c201", 201, "", ""},
    {"a response hook throws; the others run", {{'h'}, {'h', throw_late}, {'h'}}, pass,
     " >a >b >c H <c200 <b200 <a500 =a500 =b500 =c500", 500, failed, "error: stage \"b\" threw: late\n"},
    {"a done hook throws; the others run", {{'h', throw_done}, {'h'}}, pass,
     " >a >b H <b200 <a200 =a200 =b200", 200, "", "error: stage \"a\" threw: at the end\n"},
    {"the handler throws", {{'h'}}, throw_early,
     " >a H <a500 =a500", 500, failed, "error: the handler threw: handler's\n"},
    {"the handler does not answer", {{'h'}}, nothing,
     " >a H <a500 =a500", 500, failed, "error: the handler did not reply\n"},
    {"the handler fails; stages may replace the answer", {{'h', reply_late}}, fail,
     " >a H <a502 =a201", 201, "connect_failed", ""},
    {"a coroutine stage is around what follows", {{'h'}, {'w'}, {'h'}}, pass,
     " >a (b >c H <c200 )b200 <a200 =a200 =c200", 200, "", ""},
    {"coroutine stages nest", {{'w'}, {'w'}, {'w'}}, pass,
     " (a (b (c H )c200 )b200 )a200", 200, "", ""},
    {"a coroutine stage replies", {{'h'}, {'w', reply}, {'h'}}, pass,
     " >a (b <a401 =a401 =c401", 401, "", ""},
    {"a hook behind a coroutine stage replies", {{'w'}, {'h'}, {'h', reply}}, pass,
     " (a >b >c <b403 )a403 =b403 =c403", 403, "", ""},
    {"a coroutine stage replies and calls next() all the same", {{'w', reply_and_next}, {'h'}}, pass,
     " (a )a202 =b202", 202, "", ""},
    {"a coroutine stage does nothing", {{'h'}, {'w', nothing}, {'h'}}, pass,
     " >a (b <a500 =a500 =c500", 500, failed, "error: stage \"b\" neither replied nor awaited next()\n"},
    {"a coroutine stage throws before next()", {{'h'}, {'w', throw_early}}, pass,
     " >a (b <a500 =a500", 500, failed, "error: stage \"b\" threw: early\n"},
    {"a coroutine stage throws after next()", {{'h'}, {'w', throw_late}, {'h'}}, pass,
     " >a (b >c H <c200 )b200 <a500 =a500 =c500", 500, failed, "error: stage \"b\" threw: late\n"},
    {"a coroutine stage replaces the response", {{'h'}, {'w', reply_late}}, pass,
     " >a (b H )b200 <a203 =a203", 203, "", ""},
    {"next() twice", {{'h'}, {'w', twice}, {'h'}}, pass,
     " >a (b >c H <c200 )b200 <a500 =a500 =c500", 500, failed, "error: stage \"b\" threw: next() was called twice\n"},
    {"next() twice around another coroutine stage", {{'w', twice}, {'w'}}, pass,
     " (a (b H )b200 )a200", 500, failed, "error: stage \"a\" threw: next() was called twice\n"},
    {"what throws below is an answer above", {{'w'}, {'h'}}, throw_early,
     " (a >b H <b500 )a500 =b500", 500, failed, "error: the handler threw: handler's\n"},
};

void check(const Row& row, const std::string& trace, const Context& c, const gw_test::FakeHost& host) {
  CHECK(trace == row.trace);
  CHECK(c.res.status == row.status);
  CHECK(c.has_reply());
  CHECK((c.failure() ? gw::name_of(c.failure()->code) : "") == row.failure);
  CHECK(without_ids(host.logged) == row.logged);
}

}  // namespace

TEST_CASE("pipeline: stages and handler run in their order, and only those that should") {
  for (const Row& row : rows) {
    CAPTURE(row.what);
    for (const bool handler_waits : {false, true}) {
      CAPTURE(handler_waits);
      std::string trace;
      const Pipeline pipeline = pipeline_of(row.stages, trace);
      const Handler handler = handler_of(row.handler, trace, handler_waits);
      gw_test::FakeHost host;
      Context c;
      ContextAccess::begin(c, &host, 1, 2, "127.0.0.1");

      bool waits = handler_waits;
      for (const Spec& spec : row.stages) waits = waits || spec.kind == 'w';
      CHECK(pipeline.run_now(c, handler) == !waits);
      if (!waits) {
        pipeline.done(c);
        check(row, trace, c, host);
        ContextAccess::end(c);
        ContextAccess::begin(c, &host, 1, 3, "127.0.0.1");
        trace.clear();
        host.logged.clear();
      }
      CHECK(trace == "");

      gw_test::run(pipeline.run(c, handler));
      pipeline.done(c);
      check(row, trace, c, host);
    }
  }
}

TEST_CASE("pipeline: one context runs a second request after the first") {
  std::string trace;
  const Pipeline pipeline = pipeline_of({{'w'}, {'w'}}, trace);
  const Handler handler = handler_of(Act::pass, trace, false);
  Context c;
  for (int request = 0; request < 2; ++request) {
    trace.clear();
    gw_test::run(pipeline.run(c, handler));
    CHECK(trace == " (a (b H )b200 )a200");
    ContextAccess::end(c);
    ContextAccess::begin(c, nullptr, 0, 0, {});
  }
}

TEST_CASE("pipeline: every call of done runs every hook once, also of stages that were not reached") {
  std::string trace;
  const Pipeline pipeline = pipeline_of({{'h', Act::reply}, {'h'}}, trace);
  Context c;
  pipeline.done(c);
  pipeline.done(c);
  CHECK(trace == " =a200 =b200 =a200 =b200");
}

TEST_CASE("pipeline: a wait that is cancelled is a client that left, not a mistake of the stage") {
  std::string trace;
  std::vector<Stage> stages{Stage(Hooks{"a", Act::pass, &trace}), Stage([](Context&, Next) -> Task<> {
                              asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
                              co_await timer.async_wait(asio::use_awaitable);
                            })};
  const Pipeline pipeline(std::move(stages));
  const Handler handler([](Context&) { return 200; });
  gw_test::FakeHost host;
  Context c;
  ContextAccess::begin(c, &host, 1, 1, "127.0.0.1");

  asio::io_context io;
  asio::cancellation_signal cancel;
  bool ended = false;
  asio::co_spawn(io, pipeline.run(c, handler), asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e) { ended = !e; }));
  io.poll();
  cancel.emit(asio::cancellation_type::terminal);
  io.run();

  CHECK(ended);
  CHECK(c.res.status == 499);
  CHECK(c.failure()->code == gw::Error::client_gone);
  CHECK(c.failure()->origin == gw::Origin::client);
  CHECK(host.logged == "");
  CHECK(trace == " >a <a499");
}

TEST_CASE("pipeline: next() may be called without being awaited, which runs nothing") {
  bool handled = false;
  const Pipeline pipeline({Stage([](Context&, Next next) -> Task<> {
    static_cast<void>(next());
    co_return;
  })});
  Context c;
  gw_test::run(pipeline.run(c, Handler([&](Context&) { return handled = true, 200; })));
  CHECK_FALSE(handled);
  CHECK(c.res.status == 500);
}

TEST_CASE("handler: whatever it returns becomes the response") {
  struct Case {
    const char* what;
    Handler handler;
    int status;
    std::string content;
  };
  const std::vector<Case> cases{
      {"a status", Handler([](Context&) { return 204; }), 204, ""},
      {"a text", Handler([](Context&) { return "pong"; }), 200, "pong"},
      {"a string", Handler([](Context&) { return std::string("pong"); }), 200, "pong"},
      {"JSON", Handler([](Context&) { return gw::Json(R"({"id":7})"); }), 200, R"({"id":7})"},
      {"a response", Handler([](Context&) { return gw::Response(201, "made"); }), 201, "made"},
      {"nothing, but c.reply", Handler([](Context& c) { c.reply(202, "later"); }), 202, "later"},
      {"a task of a status", Handler([](Context&) -> Task<int> { co_return 204; }), 204, ""},
      {"a task of a text", Handler([](Context&) -> Task<std::string> { co_return "pong"; }), 200, "pong"},
      {"a task of a response", Handler([](Context&) -> Task<gw::Response> { co_return gw::Response(201, "made"); }), 201, "made"},
      {"a task, but c.reply", Handler([](Context& c) -> Task<> { co_return c.reply(202, "later"); }), 202, "later"},
  };
  const Pipeline pipeline({});
  for (const Case& one : cases) {
    CAPTURE(one.what);
    Context c;
    gw_test::run(pipeline.run(c, one.handler));
    CHECK(c.res.status == one.status);
    CHECK(c.res.body.text() == one.content);
    CHECK_FALSE(c.failure().has_value());
  }
}

namespace {

Task<> free_function(Context& c, Next next) {
  co_await next();
  c.res.headers.set("x-by", "function");
}

struct NamedWaiter {
  static constexpr std::string_view stage_name = "named_waiter";
  std::shared_ptr<int> done_calls;
  Task<> operator()(Context&, Next next) const { co_await next(); }
  void done(const Context&) const { ++*done_calls; }
};

struct Rotated {
  std::shared_ptr<int> reopened;
  void done(const Context&) const {}
  void reopen() const { ++*reopened; }
};

struct MutableRequest {
  void request(Context&) {}
};
struct WaitingRequest {
  Task<> request(Context&) const { co_return; }
};
struct ConstlessDone {
  void done(Context&) const {}
};
struct WrongArgument {
  void response(gw::Response&) const {}
};
struct DataMember {
  int request;
  void done(const Context&) const {}
};

}  // namespace

TEST_CASE("stage: its shape says its kind, and a shape that is nearly right is seen") {
  namespace d = gw::detail;
  static_assert(d::RequestHook<Hooks> && d::ResponseHook<Hooks> && d::DoneHook<Hooks> && !d::CoroutineStage<Hooks>);
  static_assert(d::CoroutineStage<Around> && !d::HookStage<Around>);
  static_assert(d::HasRequest<MutableRequest> && !d::RequestHook<MutableRequest>);
  static_assert(d::HasRequest<WaitingRequest> && !d::RequestHook<WaitingRequest>);
  static_assert(d::HasDone<ConstlessDone> && !d::DoneHook<ConstlessDone>);
  static_assert(d::HasResponse<WrongArgument> && !d::ResponseHook<WrongArgument>);
  static_assert(!d::HasRequest<DataMember> && d::HookStage<DataMember>);
  static_assert(!std::is_constructible_v<Stage, const char*> && !std::is_constructible_v<Stage, std::string>);
  CHECK(Stage(DataMember{1}).name() == "stage");
  CHECK(Stage(DataMember{1}, "mine").name() == "mine");
}

TEST_CASE("stage: functions, lambdas that capture, and coroutine stages with a done hook") {
  auto done_calls = std::make_shared<int>(0);
  const std::string value = "captured by a copy that lives as long as the stage";
  const auto lambda = [value](Context& c, Next next) -> Task<> {
    co_await next();
    c.res.headers.set("x-lambda", value);
  };
  const Pipeline pipeline({Stage(free_function), Stage(&free_function), Stage(lambda), Stage(NamedWaiter{done_calls})});
  CHECK(pipeline.stages().back().name() == "named_waiter");
  Context c;
  gw_test::run(pipeline.run(c, Handler([](Context&) { return 200; })));
  pipeline.done(c);
  CHECK(c.res.headers["x-by"] == "function");
  CHECK(c.res.headers["x-lambda"] == value);
  CHECK(*done_calls == 1);
}

TEST_CASE("stage: reopen reaches the one object that all copies share") {
  auto reopened = std::make_shared<int>(0);
  const Stage stage(Rotated{reopened});
  const Stage copy = stage;
  stage.reopen();
  copy.reopen();
  Stage(DataMember{1}).reopen();
  CHECK(*reopened == 2);
}

TEST_CASE("pipeline: several threads run one pipeline") {
  const auto count = std::make_shared<std::atomic<int>>(0);
  const Pipeline pipeline({Stage([count](Context&, Next next) -> Task<> {
    ++*count;
    co_await next();
  })});
  const Handler handler([](Context&) { return 200; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      Context c;
      gw_test::run(pipeline.run(c, handler));
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(*count == 4);
}
