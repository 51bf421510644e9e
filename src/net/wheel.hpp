/// \file
/// Deadlines of one worker. Std only; the time comes from outside.
#pragma once

#include <gw/error.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace gw {
inline namespace v0 {
namespace net {

/// A hashed timing wheel: arming, moving and dropping a deadline cost a few stores, so that every
/// wait can have one. Deadlines never fire early, and less than two ticks late: one because the time of
/// arming is only known to be within the present tick, one because ticks are whole. One thread.
class Wheel {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration tick = std::chrono::milliseconds(32);
  static constexpr std::size_t slots = 512;

  /// Something that may become due; part of the object it concerns. Leaves the wheel when destroyed.
  class Deadline {
   public:
    /// `fire(object)` is called once when the deadline passes; it may arm this or any deadline again.
    Deadline(void (*fire)(void*), void* object) noexcept : fire_(fire), object_(object) {}
    ~Deadline() { unlink(); }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    /// Nothing will fire any more. The entry stays linked until its slot comes by: cheap to re-arm.
    void disarm() noexcept { due_ = never; }
    bool is_armed() const noexcept { return due_ != never; }

   private:
    friend class Wheel;
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    void unlink() noexcept {
      if (!next_) return;
      previous_->next_ = next_;
      next_->previous_ = previous_;
      next_ = previous_ = nullptr;
      --*population_;
    }

    void (*fire_)(void*);
    void* object_;
    Deadline* next_ = nullptr;
    Deadline* previous_ = nullptr;
    std::size_t* population_ = nullptr;
    std::uint64_t due_ = never;     // tick at which it fires
    std::uint64_t linked_for_ = 0;  // tick whose slot it lies in; never later than due_
  };

  /// `wound()` is called when the first entry is linked: it answers the present time, and sees to
  /// it that `advance` is called from then on.
  Wheel(Clock::time_point start, std::function<Clock::time_point()> wound) : start_(start), wound_(std::move(wound)) {
    for (Deadline& head : heads_) head.next_ = head.previous_ = &head;
  }
  ~Wheel() {
    for (Deadline& head : heads_) {
      while (head.next_ != &head) head.next_->unlink();
      head.next_ = nullptr;
    }
  }
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;

  /// Makes `d` fire once `after` has passed since the last `advance`; replaces what it was armed for.
  void arm(Deadline& d, Clock::duration after) {
    // Never back: what fires in `advance` may be armed again there.
    if (population_ == 0) now_ = std::max(now_, ticks_at(wound_()));
    const auto ticks = static_cast<std::uint64_t>((after + tick - Clock::duration(1)) / tick) + 1;
    d.due_ = now_ + ticks;
    // Already in a slot that comes by no later: it will be moved on from there.
    if (d.next_ && d.linked_for_ <= d.due_) return;
    d.unlink();
    link(d);
  }

  /// Fires everything that is due at `time`. Call it at least once a tick while `!empty()`.
  void advance(Clock::time_point time) {
    const std::uint64_t target = ticks_at(time);
    // After a long pause one turn over all slots visits every entry.
    if (target > now_ + slots) now_ = target - slots;
    while (now_ < target) {
      ++now_;
      run_slot(heads_[now_ % slots]);
    }
  }

  /// Whether no entry is linked, armed or not: then nobody needs to call `advance`.
  bool empty() const noexcept { return population_ == 0; }

 private:
  std::uint64_t ticks_at(Clock::time_point time) const noexcept { return static_cast<std::uint64_t>((time - start_) / tick); }

  void link(Deadline& d) noexcept {
    // Farther than one turn: park it in the slot that comes by last.
    d.linked_for_ = d.due_ - now_ < slots ? d.due_ : now_ + slots - 1;
    Deadline& head = heads_[d.linked_for_ % slots];
    d.next_ = &head;
    d.previous_ = head.previous_;
    head.previous_->next_ = &d;
    head.previous_ = &d;
    d.population_ = &population_;
    ++population_;
  }

  void run_slot(Deadline& head) {
    // Detach the list first: callbacks link and unlink at will.
    Deadline batch(nullptr, nullptr);
    if (head.next_ == &head) return;
    batch.next_ = head.next_;
    batch.previous_ = head.previous_;
    batch.next_->previous_ = batch.previous_->next_ = &batch;
    head.next_ = head.previous_ = &head;
    while (batch.next_ != &batch) {
      Deadline& d = *batch.next_;
      d.unlink();
      if (!d.is_armed()) continue;
      if (d.due_ > now_) {
        link(d);
        continue;
      }
      d.disarm();
      d.fire_(d.object_);
    }
    batch.next_ = nullptr;
  }

  struct Head : Deadline {
    Head() noexcept : Deadline(nullptr, nullptr) {}
  };

  Clock::time_point start_;
  std::function<Clock::time_point()> wound_;
  std::uint64_t now_ = 0;
  std::size_t population_ = 0;
  std::array<Head, slots> heads_;
};

}  // namespace net
}  // namespace v0
}  // namespace gw
