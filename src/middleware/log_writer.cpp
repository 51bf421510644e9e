#include "middleware/log_writer.hpp"

#include <chrono>
#include <utility>

#include <signal.h>

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

/// How long the writer gathers lines: the cost of waking it is shared by all of them.
constexpr std::chrono::milliseconds gathering{10};
/// A larger text is given back once it is written: a burst must not hold memory for ever.
constexpr std::size_t kept_capacity = 1024 * 1024;

/// Signals are for the threads of the program; and without SIGPIPE a closed pipe is just an error.
void block_signals() noexcept {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  stop_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LogWriter::reopen() {
  reopen_ = true;
  wake();
}

std::size_t LogWriter::shard_of_thread() noexcept {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t index = threads.fetch_add(1, std::memory_order_relaxed);
  return index % std::tuple_size_v<decltype(shards_)>;
}

void LogWriter::start() {
  const std::lock_guard lock(mutex_);
  if (is_running_) return;
  thread_ = std::thread([this] { run(); });
  is_running_ = true;
}

void LogWriter::wake() {
  {
    const std::lock_guard lock(mutex_);
    has_work_ = true;
  }
  wake_.notify_one();
}

void LogWriter::end_gathering() {
  {
    const std::lock_guard lock(mutex_);
    has_enough_ = true;
  }
  stop_.notify_one();
}

void LogWriter::run() {
  block_signals();
  LogText batch;
  for (bool is_last = false; !is_last;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return has_work_ || stopping_; });
      // Another condition than that of new work, which would end the gathering.
      stop_.wait_for(lock, gathering, [this] { return stopping_ || has_enough_; });
      is_last = stopping_;
      has_work_ = has_enough_ = false;
    }
    drain(batch);
  }
}

void LogWriter::drain(LogText& batch) {
  for (Shard& shard : shards_) {
    batch.cut(0);
    {
      const std::lock_guard lock(shard.mutex);
      std::swap(batch, shard.pending);
    }
    // Looked at after the swap: a line appended after reopen() is in the batch only if this sees the flag.
    if (reopen_.exchange(false)) file_.reopen(stopping_);
    if (batch.size() == 0) continue;
    dropped_.fetch_add(file_.write(batch.view(), stopping_), std::memory_order_relaxed);
    if (batch.capacity() > kept_capacity) batch = {};
  }
  const std::uint64_t dropped = this->dropped();
  if (dropped == told_) return;
  if (file_.write("# " + std::to_string(dropped - told_) + " lines dropped\n", stopping_) == 0) told_ = dropped;
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
