#include "proxy/checks.hpp"

#include "h1/codec.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

using Clock = std::chrono::steady_clock;

// The head of an answer to a check is short; whoever says more is not understood.
constexpr std::size_t max_head = 16 * 1024;

Duration left_of(Clock::time_point end) { return std::max(Duration(1), std::chrono::duration_cast<Duration>(end - Clock::now())); }

std::string request_of(const CheckOptions& options, const Endpoint& endpoint) {
  return "GET " + options.path + " HTTP/1.1\r\nHost: " + endpoint.host_field + "\r\nUser-Agent: gw-check\r\nConnection: close\r\n\r\n";
}

bool is_healthy(const CheckOptions& options, int status) {
  if (options.statuses.empty()) return status >= 200 && status < 400;
  return std::find(options.statuses.begin(), options.statuses.end(), status) != options.statuses.end();
}

// The status of the final response that `transport` brings; 0: none came in time.
Task<int> status_of_answer(Transport& transport, Clock::time_point end) {
  Limits limits;
  limits.head = max_head;
  h1::ResponseCodec codec(limits);
  codec.reset(Method::get);
  std::array<char, max_head> buffer;
  std::size_t size = 0;
  for (;;) {
    Response response;
    const Result<std::size_t> head = codec.head({buffer.data(), size}, response);
    if (!head) co_return 0;
    if (*head > 0 && response.status >= 200) co_return response.status;
    if (*head > 0) {  // an interim response
      std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(*head), buffer.begin() + static_cast<std::ptrdiff_t>(size), buffer.begin());
      size -= *head;
      codec.next_head();
      continue;
    }
    if (size == buffer.size() || Clock::now() >= end) co_return 0;
    std::error_code ec;
    const std::size_t n = transport.read(asio::buffer(buffer.data() + size, buffer.size() - size), ec);
    if (ec == asio::error::would_block) co_await transport.until(Side::read, left_of(end));
    else if (ec) co_return 0;
    else size += n;
  }
}

}  // namespace

/// The checks of one upstream.
struct Checks::Round {
  Round(Worker& w, std::shared_ptr<const UpstreamState> u) : worker(w), upstream(std::move(u)), timer(w.io) {}

  Worker& worker;
  const std::shared_ptr<const UpstreamState> upstream;
  asio::steady_timer timer;
  bool is_over = false;
  std::set<const Member*> asked;                  // those whose answer is due
  std::set<std::shared_ptr<Transport>> open;

  const CheckOptions& options() const { return *upstream->options.health.check; }
};

Checks::~Checks() { stop(); }

void Checks::watch(const Snapshot& snapshot) {
  stop();
  for (const auto& [name, upstream] : snapshot.upstreams) {
    if (!upstream->options.health.check) continue;
    const auto& round = rounds_.emplace_back(std::make_shared<Round>(worker_, upstream));
    asio::co_spawn(worker_.io, run(round), asio::detached);
  }
}

void Checks::stop() {
  for (const auto& round : rounds_) {
    round->is_over = true;
    round->timer.cancel();
    for (const auto& transport : std::set(round->open)) transport->close();
  }
  rounds_.clear();
}

Task<> Checks::run(std::shared_ptr<Round> round) {
  while (!round->is_over) {
    const auto selection = round->upstream->look();
    for (const Selection::Entry& entry : selection->entries())
      if (entry.member->endpoint->address && round->asked.insert(entry.member.get()).second)
        asio::co_spawn(round->worker.io, ask(round, entry.member), asio::detached);
    // Gateways that started together do not stay together.
    const auto jitter = std::chrono::milliseconds(round->worker.random.below(static_cast<std::size_t>(round->options().interval.count()) / 5 + 1));
    round->timer.expires_after(round->options().interval * 9 / 10 + jitter);
    std::error_code ec;
    co_await round->timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
}

Task<> Checks::ask(std::shared_ptr<Round> round, std::shared_ptr<Member> member) {
  const bool is_good = co_await ask_at(round, *member->endpoint);
  round->asked.erase(member.get());
  if (!round->is_over) round->upstream->checked(*member, is_good);
}

Task<bool> Checks::ask_at(std::shared_ptr<Round> round, const Endpoint& endpoint) {
  const CheckOptions& options = round->options();
  const auto end = Clock::now() + options.timeout;
  std::error_code ec;
  const std::shared_ptr<Transport> transport = round->worker.connect(*endpoint.address, ec);
  if (!transport) co_return false;
  round->open.insert(transport);
  const Wake wake = co_await transport->until(Side::write, options.timeout);
  bool is_good = wake == Wake::ready && !transport->connected();
  if (is_good && !options.path.empty()) {
    const std::string request = request_of(options, endpoint);
    const std::array<asio::const_buffer, 1> pieces{asio::buffer(request)};
    const std::size_t written = transport->write(pieces, ec);
    const int status = written == request.size() ? co_await status_of_answer(*transport, end) : 0;
    is_good = is_healthy(options, status);
  }
  round->open.erase(transport);
  co_return is_good;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
