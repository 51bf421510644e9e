/// \file
/// The waiting half of a transport: who waits on which side, and until when. What is left to an
/// implementation is to say when a side became ready.
#pragma once

#include <gw/transport.hpp>

#include "net/wheel.hpp"

#include <asio/associated_cancellation_slot.hpp>

#include <array>

namespace gw {
inline namespace v0 {
namespace net {

/// A transport whose implementation is told to `arm` a side and answers with `notify_ready`.
///
/// A side stays armed after its waiter has left (it timed out, or took the bytes itself): the next
/// wait then costs nothing. A pooled upstream connection uses that: the arming that watches it while
/// idle is the one that later announces the response.
class WaitingTransport : public Transport {
 public:
  explicit WaitingTransport(Wheel& wheel) : wheel_(wheel), waiters_{Waiter(*this, Side::read), Waiter(*this, Side::write)} {}

  Task<Wake> until(Side side, std::chrono::milliseconds limit) final {
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Wake)>(
        [this, side, limit](auto handler) {
          Waiter& w = waiter(side);
          GW_ASSERT(!w.coroutine && !w.wake);
          // Lets users cancel what waits here with Asio's own means (awaitable operators).
          auto slot = asio::get_associated_cancellation_slot(handler);
          if (slot.is_connected()) slot.assign([this, side](asio::cancellation_type) { interrupt(side); });
          w.coroutine.emplace(std::move(handler));
          begin(w, limit);
        },
        asio::use_awaitable);
  }

  void watch(Side side, std::chrono::milliseconds limit, void (*wake)(void*, Wake), void* object) final {
    Waiter& w = waiter(side);
    GW_ASSERT(!w.coroutine && !w.wake);
    w.wake = wake;
    w.object = object;
    begin(w, limit);
  }

  void unwatch(Side side) final {
    Waiter& w = waiter(side);
    w.wake = nullptr;
    if (!w.coroutine) w.deadline.disarm();
  }

  void interrupt(Side side) final {
    if (waiter(side).coroutine) finish(waiter(side), Wake::cancelled);
  }

 protected:
  /// Starts watching a side; ends with one `notify_ready`. Called only while the side is not armed.
  virtual void arm(Side side) = 0;

  /// The side became ready, or the transport was closed. May destroy the transport's last owner.
  void notify_ready(Side side) {
    waiter(side).is_armed = false;
    finish(waiter(side), Wake::ready);
  }
  bool is_armed(Side side) noexcept { return waiter(side).is_armed; }

 private:
  using Resume = asio::async_result<asio::use_awaitable_t<>, void(Wake)>::handler_type;

  struct Waiter {
    Waiter(WaitingTransport& t, Side s) : transport(t), side(s), deadline(&Waiter::expired, this) {}
    static void expired(void* self) {
      auto& w = *static_cast<Waiter*>(self);
      w.transport.finish(w, Wake::timed_out);
    }

    WaitingTransport& transport;
    Side side;
    bool is_armed = false;
    Wheel::Deadline deadline;
    void (*wake)(void*, Wake) = nullptr;
    void* object = nullptr;
    std::optional<Resume> coroutine;
  };

  Waiter& waiter(Side side) noexcept { return waiters_[static_cast<std::size_t>(side)]; }

  void begin(Waiter& w, std::chrono::milliseconds limit) {
    wheel_.arm(w.deadline, limit);
    if (w.is_armed) return;
    w.is_armed = true;
    arm(w.side);
  }

  void finish(Waiter& w, Wake why) {
    w.deadline.disarm();
    if (w.coroutine) {
      Resume resume = std::move(*w.coroutine);
      w.coroutine.reset();
      resume(why);
    } else if (w.wake) {
      std::exchange(w.wake, nullptr)(w.object, why);
    }
  }

  Wheel& wheel_;
  std::array<Waiter, 2> waiters_;
};

}  // namespace net
}  // namespace v0
}  // namespace gw
