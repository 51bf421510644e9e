#include "net/poller.hpp"

#include <asio/error.hpp>

#include <cerrno>

namespace gw {
inline namespace v0 {
namespace net {

Poller::Poller(asio::io_context& io) : set_(io) {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  set_.assign(set);
  wait();
}

std::error_code Poller::add(int descriptor, Watcher& watcher) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &watcher;
  if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) == 0) return {};
  return {errno, std::system_category()};
}

void Poller::remove(int descriptor, Watcher& watcher) noexcept {
  epoll_event ignored{};
  ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, descriptor, &ignored);
  if (!watcher.has_event_) return;
  watcher.has_event_ = false;
  for (std::size_t i = next_; i < count_; ++i)
    if (batch_[i].data.ptr == &watcher) batch_[i].data.ptr = nullptr;
}

void Poller::close() {
  std::error_code ignored;
  set_.close(ignored);
}

void Poller::wait() {
  // An epoll set is itself readable while it has events.
  set_.async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code ec) {
    if (ec) return;
    dispatch();
    if (set_.is_open()) wait();
  });
}

void Poller::dispatch() {
  // What came meanwhile is fetched here: the way through Asio's loop takes three system calls. After a batch's worth of events the
  // loop's other work has its turn; what is left makes the set readable again.
  for (std::size_t handled = 0; handled < batch_.size() && set_.is_open();) {
    const int count = ::epoll_wait(set_.native_handle(), batch_.data(), static_cast<int>(batch_.size()), 0);
    if (count <= 0) return;
    handle(static_cast<std::size_t>(count));
    // While one event was handled hardly another one came.
    if (count == 1) return;
    handled += static_cast<std::size_t>(count);
  }
}

void Poller::handle(std::size_t count) {
  count_ = count;
  for (std::size_t i = 0; i < count; ++i) static_cast<Watcher*>(batch_[i].data.ptr)->has_event_ = true;
  for (next_ = 0; next_ < count_;) {
    const epoll_event event = batch_[next_++];
    Watcher* const watcher = static_cast<Watcher*>(event.data.ptr);
    if (!watcher) continue;
    watcher->has_event_ = false;
    watcher->on_events(event.events);
  }
  next_ = count_ = 0;
}

}  // namespace net
}  // namespace v0
}  // namespace gw
