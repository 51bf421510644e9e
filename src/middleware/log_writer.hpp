/// \file
/// Level 4: takes lines from many threads and writes them with one.
#pragma once

#include "middleware/log_file.hpp"
#include "middleware/log_text.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace gw {
inline namespace v0 {
namespace detail {

/// Lines go into the shard of the calling thread: a text behind a lock that the writer thread holds
/// only to swap the text for an empty one. The writer is woken when a shard stops being empty, and
/// gathers for 10 ms, or until there are 256 KiB, before it writes. All functions may be called from any thread.
class LogWriter {
 public:
  /// How many bytes a shard holds before lines are dropped. The writer may be writing as many more.
  static constexpr std::size_t shard_limit = 4 * 1024 * 1024;

  /// Opens the file; throws `ConfigError`. The thread starts with the first line.
  explicit LogWriter(std::string path) : file_(std::move(path)) {}
  /// Writes everything, or as much as the sink takes within half a second, and joins the thread.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Takes one line with its end, which `put(text)` appends to a `LogText&`, or drops and counts it if too much is pending. Never waits
  /// for the sink. Lines of one thread keep their order. Throws only if memory or threads run out.
  template <class Put>
  void append_with(Put&& put) {
    if (!is_running_.load(std::memory_order_acquire)) start();
    Shard& shard = shards_[shard_of_thread()];
    std::size_t before, after;
    {
      // The line is made where it will be written from: to copy it there costs more than the lock, which hardly anybody waits for.
      const std::lock_guard lock(shard.mutex);
      before = shard.pending.size();
      put(shard.pending);
      after = shard.pending.size();
      if (after > shard_limit) {
        shard.pending.cut(before);
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
      }
    }
    if (before == 0) wake();
    if (before < enough && after >= enough) end_gathering();
  }
  /// The same for a line that is there already.
  void append(std::string_view line) {
    append_with([&](LogText& text) { text.append(line); });
  }
  /// Opens the file by its name again: lines appended after the call go there.
  void reopen();
  /// How many lines were dropped because too much was pending, or because the sink refused them.
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Shard {
    std::mutex mutex;
    LogText pending;
  };

  /// Or until so many bytes are there: what is written soon is still in the cache, and its memory is used again.
  static constexpr std::size_t enough = 256 * 1024;

  static std::size_t shard_of_thread() noexcept;
  void start();
  void wake();
  void end_gathering();
  void run();
  void drain(LogText& batch);

  LogFile file_;
  std::array<Shard, 16> shards_;
  std::atomic<std::uint64_t> dropped_{0};
  std::uint64_t told_ = 0;  // of dropped_, in lines "# N lines dropped"; the writer's alone

  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::condition_variable stop_;
  bool has_work_ = false, has_enough_ = false;
  // Changed under the mutex, but also read without it.
  std::atomic<bool> is_running_{false}, stopping_{false}, reopen_{false};
  std::thread thread_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
