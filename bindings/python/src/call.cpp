#include "call.hpp"

#include <asio/post.hpp>
#include <asio/this_coro.hpp>

namespace gw_python {

namespace {

// A body of a request is read before Python sees it.
constexpr std::size_t longest_body = 64 * 1024 * 1024;

// Has Python do `item`, whose `resume` this is, and goes on when that is over, or nobody will do it.
gw::Task<> cross(std::shared_ptr<Queue> queue, std::shared_ptr<Item> item, std::function<void()>& resume) {
  const asio::any_io_executor worker = co_await asio::this_coro::executor;
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [&](auto handler) {
        auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
        resume = [waiting, worker] { asio::post(worker, [waiting] { (*waiting)(); }); };
        if (!queue->push(item)) resume();
      },
      asio::use_awaitable);
}

std::shared_ptr<Call> call_of(const gw::Context& c, std::size_t handler) {
  auto call = std::make_shared<Call>();
  call->handler = handler;
  call->method = gw::to_string(c.req.method);
  call->target = c.req.target();
  call->path = c.req.path();
  call->query = c.req.query();
  call->authority = c.req.authority();
  call->route = c.route();
  call->id = c.id();
  call->client_address = c.client_address();
  call->peer_address = c.peer_address();
  call->client_scheme = c.client_scheme();
  call->consumer = c.consumer();
  for (const gw::Headers::Field& field : c.req.headers) call->headers.emplace_back(field.name, field.value);
  for (const auto& parameter : c.params) call->params.emplace_back(parameter.name, parameter.value);
  return call;
}

class PythonHandler {
 public:
  PythonHandler(std::size_t handler, std::shared_ptr<Queue> queue) : handler_(handler), queue_(std::move(queue)) {}

  gw::Task<> operator()(gw::Context& c) const {
    std::shared_ptr<Call> call = call_of(c, handler_);
    gw::Result<std::string> body = co_await c.req.body.text(longest_body);
    if (!body) {
      c.fail(body.error());
      co_return;
    }
    call->body = std::move(*body);
    co_await cross(queue_, call, call->resume);
    call->resume = nullptr;
    if (call->response) {
      c.reply(std::move(*call->response));
      co_return;
    }
    if (!call->is_done) c.log(gw::LogLevel::error, "a request was not answered: there is nobody any more who would");
    c.fail(gw::Failure(gw::Error::handler_failed, gw::Origin::gateway));
  }

 private:
  std::size_t handler_;
  std::shared_ptr<Queue> queue_;
};

class PythonBody : public gw::Body::Source {
 public:
  PythonBody(std::size_t stream, std::shared_ptr<Queue> queue) : stream_(stream), queue_(std::move(queue)) {}
  ~PythonBody() override { queue_->push(std::make_shared<Drop>(stream_)); }

  gw::Task<gw::Result<gw::Chunk>> read() override {
    auto pull = std::make_shared<Pull>();
    pull->stream = stream_;
    co_await cross(queue_, pull, pull->resume);
    pull->resume = nullptr;
    if (!pull->is_done || pull->has_failed) co_return gw::Failure(gw::Error::handler_failed, gw::Origin::gateway);
    piece_ = std::move(pull->piece);
    co_return gw::Chunk(piece_);
  }

 private:
  std::size_t stream_;
  std::shared_ptr<Queue> queue_;
  std::string piece_;
};

}  // namespace

gw::Handler python_handler(std::size_t handler, std::shared_ptr<Queue> queue) { return PythonHandler(handler, std::move(queue)); }

gw::Body python_body(std::size_t stream, std::shared_ptr<Queue> queue) {
  return gw::Body(std::make_unique<PythonBody>(stream, std::move(queue)));
}

}  // namespace gw_python
