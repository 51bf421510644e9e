/// \file
/// Level 5: a worker and its thread.
#pragma once

#include "proxy/worker.hpp"

#include <asio/executor_work_guard.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <thread>

namespace gw {
inline namespace v0 {

/// Bits that nobody can foresee, from the system.
std::uint64_t entropy();

/// A worker and the thread that runs it.
class WorkerThread {
 public:
  WorkerThread(proxy::Shared& shared, std::size_t number);
  ~WorkerThread();

  proxy::Worker& worker() noexcept { return *worker_; }
  /// Runs `f` on the worker, after what was posted before. Does not wait.
  void post(std::function<void()> f);
  bool is_this_thread() const noexcept { return std::this_thread::get_id() == thread_.get_id(); }
  /// Starts to drain the worker: connections end with their present request, or after `limit`.
  void begin_finish(Duration limit);
  /// Waits until that is through, and ends the thread.
  void end_finish(Duration limit);

 private:
  std::unique_ptr<proxy::Worker> worker_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::promise<void> drained_;
  std::thread thread_;
};

}  // namespace v0
}  // namespace gw
