#include "worker_thread.hpp"

#include "net/wheel.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>

#include <chrono>
#include <random>
#include <utility>

namespace gw {
inline namespace v0 {

namespace {

// A handler that does not end after its connection was cut is given up after this.
constexpr auto grace = std::chrono::seconds(5);

Task<> drain(proxy::Worker& worker, Duration limit) {
  net::Wheel::Deadline deadline([](void* w) { static_cast<proxy::Worker*>(w)->abort(); }, &worker);
  worker.wheel.arm(deadline, limit);
  worker.drain();
  while (worker.has_connections()) co_await worker.drained.wait();
}

}  // namespace

std::uint64_t entropy() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

WorkerThread::WorkerThread(proxy::Shared& shared, std::size_t number)
    : worker_(std::make_unique<proxy::Worker>(shared, entropy(), number)), work_(worker_->io.get_executor()), thread_([this] { worker_->io.run(); }) {}

WorkerThread::~WorkerThread() {
  if (!thread_.joinable()) return;
  begin_finish(Duration(0));
  end_finish(Duration(0));
}

void WorkerThread::post(std::function<void()> f) { asio::post(worker_->io, std::move(f)); }

void WorkerThread::begin_finish(Duration limit) {
  asio::post(worker_->io, [this, limit] {
    asio::co_spawn(worker_->io, drain(*worker_, limit), [this](std::exception_ptr) { drained_.set_value(); });
  });
}

void WorkerThread::end_finish(Duration limit) {
  if (drained_.get_future().wait_for(limit + grace) == std::future_status::ready) {
    asio::post(worker_->io, [this] {
      worker_->finish();
      work_.reset();
    });
    thread_.join();
    return;
  }
  // User code holds on to a request. Its coroutine cannot be destroyed safely from outside, so the
  // worker's memory stays.
  worker_->shared.log(LogLevel::error, "a handler did not end when its connection was cut; leaving it behind");
  worker_->io.stop();
  thread_.join();
  [[maybe_unused]] const proxy::Worker* left_behind = worker_.release();
}

}  // namespace v0
}  // namespace gw
