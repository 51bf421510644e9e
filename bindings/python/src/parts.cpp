/// \file
/// What of a gateway Python does: handlers, stages, and bodies of responses.
#include "call.hpp"

#include <asio/this_coro.hpp>

#include <charconv>

namespace gw_python {

namespace {

using Said = Call::Said;
using gw::detail::ContextAccess;

// What a request has while it is with Python.
struct Tie {
  std::shared_ptr<Link> link;
  std::shared_ptr<Call> call;  // who wants to know whether the client is there
  Tie() = default;
  Tie(const Tie&) = delete;
  Tie& operator=(const Tie&) = delete;
  ~Tie() {
    if (link) link->cut();
  }
};

std::shared_ptr<Link> link_of(gw::Context& c, const asio::any_io_executor& worker, const std::shared_ptr<Queue>& loop) {
  std::shared_ptr<Link>& link = c.slot<Tie>().link;
  if (!link) link = std::make_shared<Link>(c, worker, loop);
  return link;
}

void answer(gw::Context& c, Call& call, Said said) {
  switch (said) {
    case Said::reply: c.reply(std::move(call.response())); return;
    case Said::nothing: c.log(gw::LogLevel::error, "a request was not answered: there is nobody any more who would"); break;
    default: break;
  }
  c.fail(call.read_failure().value_or(gw::Failure(gw::Error::handler_failed, gw::Origin::gateway)));
}

class PythonHandler {
 public:
  PythonHandler(std::size_t number, Reading reading, std::shared_ptr<Queue> queue, std::shared_ptr<Queue> loop)
      : number_(number), reading_(reading), queue_(std::move(queue)), loop_(std::move(loop)) {}

  gw::Task<> operator()(gw::Context& c) const {
    const auto call = Call::make(c, link_of(c, co_await asio::this_coro::executor, loop_), queue_);
    if (reading_ == Reading::pieces) {
      call->take_ready_content(c.req.body);
      watch(c, call);
    } else if (!call->has_content()) {
      gw::Result<std::string> content = co_await c.req.body.text(Call::longest_content);
      if (!content) {
        c.fail(content.error());
        co_return;
      }
      call->set_content(std::move(*content));
    }
    answer(c, *call, co_await call->ask(Item::Kind::handle, number_));
  }

 private:
  // Event loops want to know when the client leaves; threads could do nothing about it.
  void watch(gw::Context& c, const std::shared_ptr<Call>& call) const {
    if (queue_ != loop_) return;
    c.slot<Tie>().call = call;
    ContextAccess::on_abandoned(c, [](void* self) { static_cast<Call*>(self)->set_gone(); }, call.get());
  }

  std::size_t number_;
  Reading reading_;
  std::shared_ptr<Queue> queue_, loop_;
};

// Runs around the stages behind it.
class Around {
 public:
  Around(std::size_t number, std::shared_ptr<Queue> loop) : number_(number), loop_(std::move(loop)) {}

  gw::Task<> operator()(gw::Context& c, gw::Next next) const {
    const auto call = Call::make(c, link_of(c, co_await asio::this_coro::executor, loop_), loop_);
    call->set_stage();
    if (!c.req.body.is_stream()) call->set_content(std::string(c.req.body.text()));
    Said said = co_await call->ask(Item::Kind::stage, number_);
    co_await call->settle();
    if (said == Said::next || said == Said::pass) {
      edit(c, call->edits());
      co_await next();
      if (said == Said::pass) co_return;
      call->set_outcome(c);
      said = co_await call->resume();
      co_await call->settle();
    }
    if (said == Said::leave) edit(c, call->edits());
    else answer(c, *call, said);
  }

 protected:
  static void edit(gw::Context& c, const Call::Edits& edits) {
    if (edits.request_headers) replace(c.req.headers, *edits.request_headers);
    if (edits.consumer) c.set_consumer(*edits.consumer);
    if (edits.id) c.set_id(*edits.id);
    if (edits.response_headers) replace(c.res.headers, *edits.response_headers);
    if (edits.status) c.res.status = *edits.status;
  }
  // Unlike an assignment it keeps the views that others have of the old fields.
  static void replace(gw::Headers& fields, const gw::Headers& by) {
    fields.remove_if([](const gw::Headers::Field&) { return true; });
    for (const gw::Headers::Field& field : by) fields.add(field.name, field.value);
  }

  std::size_t number_;
  std::shared_ptr<Queue> loop_;
};

// Wants to know what became of requests.
class Done {
 public:
  Done(std::size_t number, std::shared_ptr<Queue> loop) : number_(number), loop_(std::move(loop)) {}

  void done(const gw::Context& c) const {
    const Tie* tie = c.find_slot<Tie>();
    const auto call = Call::make(c, tie ? tie->link : nullptr, loop_);
    call->set_record();
    call->set_outcome(c);
    call->tell(Item::Kind::done, number_);
  }

 private:
  std::size_t number_;
  std::shared_ptr<Queue> loop_;
};

class AroundAndDone : public Around {
 public:
  using Around::Around;
  void done(const gw::Context& c) const { Done(number_, loop_).done(c); }
};

class PythonBody : public gw::Body::Source {
 public:
  PythonBody(std::shared_ptr<Call> call, std::size_t stream, std::shared_ptr<Queue> queue, std::optional<std::uint64_t> size)
      : call_(std::move(call)), stream_(stream), queue_(std::move(queue)), size_(size) {}
  ~PythonBody() override { queue_->push({Item::Kind::drop, stream_, nullptr}, nullptr); }

  gw::Task<gw::Result<gw::Chunk>> read() override {
    std::optional<std::string> piece = co_await call_->pull(stream_, *queue_);
    if (!piece) co_return gw::Failure(gw::Error::handler_failed, gw::Origin::gateway);
    piece_ = std::move(*piece);
    co_return gw::Chunk(piece_);
  }
  void cancel() override { call_->cancel(); }
  std::optional<std::uint64_t> size() const override { return size_; }

 private:
  std::shared_ptr<Call> call_;
  std::size_t stream_;
  std::shared_ptr<Queue> queue_;
  std::optional<std::uint64_t> size_;
  std::string piece_;
};

}  // namespace

gw::Handler python_handler(std::size_t number, Reading reading, std::shared_ptr<Queue> queue, std::shared_ptr<Queue> loop) {
  return PythonHandler(number, reading, std::move(queue), std::move(loop));
}

gw::Stage python_stage(std::string name, std::size_t number, bool is_around, bool has_done, std::shared_ptr<Queue> loop) {
  if (!is_around) return {Done(number, std::move(loop)), std::move(name)};
  if (has_done) return {AroundAndDone(number, std::move(loop)), std::move(name)};
  return {Around(number, std::move(loop)), std::move(name)};
}

gw::Body python_body(std::shared_ptr<Call> call, std::size_t stream, std::shared_ptr<Queue> queue, std::optional<std::uint64_t> size) {
  return gw::Body(std::make_unique<PythonBody>(std::move(call), stream, std::move(queue), size));
}

}  // namespace gw_python
