#include "proxy/worker.hpp"

#include "proxy/call.hpp"
#include "proxy/connection.hpp"
#include "proxy/session.hpp"
#include "proxy/snapshot.hpp"

#include <gw/blocking.hpp>

#include <ctime>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

constexpr std::size_t blocking_threads = 4;
// When descriptors were there for so long, running out of them is news again.
constexpr auto descriptors_pause = std::chrono::seconds(10);

// Lets `gw::blocking` find the threads of the gateway whose worker it runs on.
struct BlockingService : asio::execution_context::service {
  using key_type = BlockingService;
  static inline asio::execution_context::id id;
  BlockingService(asio::execution_context& context, Shared& s) : service(context), shared(&s) {}
  explicit BlockingService(asio::execution_context& context) : service(context) {}
  void shutdown() override {}
  Shared* shared = nullptr;
};

}  // namespace

asio::thread_pool& Shared::blocking() {
  std::call_once(blocking_once_, [this] { blocking_.emplace(blocking_threads); });
  return *blocking_;
}

void Shared::out_of_descriptors() {
  const auto now = std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch());
  const std::int64_t before = out_of_descriptors_.exchange(now.count(), std::memory_order_relaxed);
  if (before != 0 && now - std::chrono::seconds(before) <= descriptors_pause) return;
  log(LogLevel::error,
      "out of file descriptors: new connections are answered with 503 until others end; let the process open more (ulimit -n), or lower "
      "limits.connections");
}

Worker::Worker(Shared& shared_state, std::uint64_t seed, std::size_t number)
    : shared(shared_state),
      index(number),
      counters(shared.metrics.worker(number)),
      wheel(net::Wheel::Clock::now(),
            [this] {
              run_clock();
              return net::Wheel::Clock::now();
            }),
      random(seed),
      id_seed(random()),
      clock_(io),
      trimming_([](void* self) { static_cast<Worker*>(self)->trim(); }, this) {
  asio::make_service<BlockingService>(io, shared);
}

Worker::~Worker() = default;

void Worker::run_clock() {
  clock_.expires_after(net::Wheel::tick);
  clock_.async_wait([this](std::error_code ec) {
    if (ec) return;
    wheel.advance(net::Wheel::Clock::now());
    if (!wheel.empty()) run_clock();
  });
}

Connection& Worker::add(std::unique_ptr<Connection> connection) {
  Connection& c = *connection;
  shared.connections.fetch_add(1, std::memory_order_relaxed);
  counters.accepted.add();
  counters.connections.up();
  connections_.emplace(&c, std::move(connection));
  return c;
}

void Worker::remove(Connection& connection) {
  const auto found = connections_.find(&connection);
  GW_ASSERT(found != connections_.end());
  connections_.erase(found);
  shared.connections.fetch_sub(1, std::memory_order_relaxed);
  counters.connections.down();
  if (connections_.empty()) drained.notify();
}

void Worker::drain() {
  is_draining = true;
  std::vector<Connection*> all;
  for (const auto& entry : connections_) all.push_back(entry.second.get());
  for (Connection* c : all) c->drain();
  pool.clear_idle([](const auto&) {});
}

void Worker::abort() {
  std::vector<Connection*> all;
  for (const auto& entry : connections_) all.push_back(entry.second.get());
  for (Connection* c : all) c->abort();
}

void Worker::finish() {
  pool.clear_idle([](const auto&) {});
  clock_.cancel();
  poller.close();
}

std::unique_ptr<Session> Worker::take_session() {
  return free_sessions.take([this] { return std::make_unique<Session>(*this); });
}

void Worker::give_session(std::unique_ptr<Session> session) {
  free_sessions.give(std::move(session));
  trim_later();
}

std::unique_ptr<Call> Worker::take_call() {
  return free_calls.take([this] { return std::make_unique<Call>(*this); });
}

void Worker::give_call(std::unique_ptr<Call> call) {
  free_calls.give(std::move(call));
  trim_later();
}

void Worker::trim_later() {
  if (!trimming_.is_armed()) wheel.arm(trimming_, kept_for);
}

void Worker::trim() {
  free_calls.trim();
  free_sessions.trim();
  buffers.trim();
  if (free_calls.size() > 0 || free_sessions.size() > 0 || buffers.size() > 0) trim_later();
}

std::string_view Worker::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    // Not strftime: its names follow the process's locale.
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::snprintf(date_text_, sizeof date_text_, "%s, %02d %s %d %02d:%02d:%02d GMT", days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon],
                  1900 + utc.tm_year, utc.tm_hour, utc.tm_min, utc.tm_sec);
  }
  return date_text_;
}

}  // namespace proxy

asio::thread_pool& detail::blocking_threads(const asio::any_io_executor& executor) {
  auto& service = asio::use_service<proxy::BlockingService>(asio::query(executor, asio::execution::context));
  // Only a worker of a gateway has such threads.
  GW_ASSERT(service.shared);
  return service.shared->blocking();
}

}  // namespace v0
}  // namespace gw
