/// \file
/// Where requests cross from the workers of a gateway to threads and event loops of Python. No Python in it.
#pragma once

#include <asio/any_io_executor.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace gw_python {

class Call;

/// Something for Python to do.
struct Item {
  enum class Kind : std::uint8_t {
    handle,   ///< `call` came to handler `number`: it is to answer
    stage,    ///< `call` came to stage `number`: it is to go on or answer
    done,     ///< the request of `call` is over, which stage `number` wants to know
    resumed,  ///< what `call` asked for under `number` is there
    gone,     ///< nobody waits for the response of `call` any more
    pull,     ///< the next piece of stream `number` is wanted, for the response of `call`
    drop,     ///< nobody wants more of stream `number`
    over,     ///< request `number`, for which Python keeps something, is over
  };

  Kind kind;
  std::size_t number = 0;
  std::shared_ptr<Call> call;
};

/// A queue of things to do, for threads that Python has made or for an event loop of it. Thread-safe; workers never wait.
///
/// Whoever waits is told once for all that a worker adds in one go: when it has no more to do at once.
class Queue : public std::enable_shared_from_this<Queue> {
 public:
  /// One of the threads that take.
  struct Hand {
    bool is_busy = false;
    std::chrono::steady_clock::time_point since;
  };

  Queue();
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// Adds something to do, from a worker, on which `worker` runs things; null: whoever waits is told at once. False: nobody will do it
  /// any more.
  bool push(Item item, const asio::any_io_executor* worker);

  /// For threads: the next thing to do, if there is one for `hand` at once. What it took before is done.
  std::optional<Item> take_now(Hand& hand);
  /// The same, and waits for it. Nothing: there will be none any more.
  ///
  /// While one thread is busy the others leave what comes to it for a millisecond: things that are quick are done by one thread, one after
  /// the other, which is quicker than having threads take the interpreter's lock from each other. If it does not come back by then, another
  /// takes over; and threads that do slow things go on beside each other.
  std::optional<Item> take(Hand& hand);

  /// For event loops: all there is to do, perhaps nothing.
  std::vector<Item> take_all();
  /// For event loops: a descriptor that is readable while there is something to do.
  int descriptor() const noexcept { return descriptor_; }

  /// Nothing is taken any more but by `take_all`; who waits in `take` returns. What is left over is abandoned.
  void close();

 private:
  bool finish(Hand& hand);
  std::optional<Item> begin(Hand& hand, bool is_slow);
  void wake();

  const int descriptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::size_t taken_ = 0;         // so far
  Hand* runner_ = nullptr;        // the thread that does quick things
  bool is_watched_ = false;       // by a thread that takes over if the runner does not come back soon, or was told to
  bool is_wake_coming_ = false;   // a worker will tell those who wait
  bool is_closed_ = false;
};

}  // namespace gw_python
