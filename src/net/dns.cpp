#include "net/dns.hpp"

#include "net/dns_lookup.hpp"

#include <gw/error.hpp>

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

using Clock = DnsOptions::Clock;

/// Look-ups under way: what their replies need fits into the buffer of a socket.
constexpr std::size_t most_at_once = 32;

/// Signals are for the threads of the program.
void block_signals() noexcept {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// An eventfd.
class Wake {
 public:
  Wake() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::system_category(), "eventfd");
  }
  ~Wake() { ::close(descriptor_); }
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  void operator()() const noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(descriptor_, &one, sizeof one));  // fails only if it is full, and so awake
  }

 private:
  int descriptor_;
};

}  // namespace

/// What is said to whom; under the mutex, but `changed` is called without it.
struct Dns::Listener {
  Changed changed;
  std::shared_ptr<const Answer> told = nullptr;
  bool is_told = false, is_gone = false;
};

struct Dns::Core {
  struct Entry {
    std::vector<std::shared_ptr<Listener>> listeners;
    std::shared_ptr<const Answer> answer;
    bool has_ended = false;  // the first look-up
    bool is_looking = false;
    Clock::time_point next = Clock::time_point::min();  // look-up
    std::chrono::seconds retry = first_retry;
    KnownHosts hosts;
  };

  explicit Core(Options options)
      : channel({options.servers, options.timeout, options.resolv_conf}),
        now(std::move(options.now)),
        has_route(std::move(options.has_route)) {
    if (!has_route) has_route = kernel_has_route;
  }

  void run();
  void start_due();
  void tell();
  std::optional<std::chrono::milliseconds> time_to_next();
  void ended(const Question& question, Outcome outcome);
  void forget(const Question& question, const std::shared_ptr<Listener>& listener);

  DnsChannel channel;  // of the thread, once that runs
  std::function<Clock::time_point()> now;
  std::function<bool(const asio::ip::address_v6&)> has_route;
  Wake wake;

  std::mutex mutex;  // of what follows
  std::map<Question, Entry> entries;
  std::size_t looking = 0;  // entries
  const Listener* running = nullptr;  // whose `changed` is being called
  std::condition_variable has_run;
  bool is_stopping = false;
  std::thread::id thread_id;  // `thread` changes when it is joined
  std::thread thread;
};

void Dns::Core::run() {
  block_signals();
  {
    const std::lock_guard lock(mutex);
    thread_id = std::this_thread::get_id();
  }
  for (;;) {
    start_due();
    tell();
    {
      const std::lock_guard lock(mutex);
      if (is_stopping) break;
    }
    channel.wait(wake.descriptor(), time_to_next());
  }
  channel.close();
}

void Dns::Core::start_due() {
  std::vector<std::pair<Question, KnownHosts>> due;
  {
    const std::lock_guard lock(mutex);
    if (is_stopping) return;
    const Clock::time_point time = now();
    for (auto& [question, entry] : entries) {
      if (looking == most_at_once) break;
      if (entry.is_looking || entry.next > time) continue;
      entry.is_looking = true;
      ++looking;
      due.emplace_back(question, std::move(entry.hosts));
    }
  }
  if (due.empty()) return;
  channel.follow_system();
  for (auto& [question, hosts] : due) {
    look_up(channel, question, std::move(hosts), has_route, [this, q = question](Outcome outcome) { ended(q, std::move(outcome)); });
  }
}

void Dns::Core::ended(const Question& question, Outcome outcome) {
  const std::lock_guard lock(mutex);
  const auto at = entries.find(question);
  Entry& entry = at->second;
  entry.is_looking = false;
  --looking;
  if (entry.listeners.empty()) {
    entries.erase(at);
    return;
  }
  entry.has_ended = true;
  entry.hosts = std::move(outcome.hosts);
  std::chrono::seconds rest = outcome.ttl;
  if (outcome.is_complete) {
    entry.retry = first_retry;
  } else {
    rest = outcome.answer ? std::min(entry.retry, outcome.ttl) : entry.retry;
    entry.retry = std::min(2 * entry.retry, longest_retry);
  }
  entry.next = now() + rest;
  if (outcome.answer && (!entry.answer || *entry.answer != *outcome.answer)) {
    entry.answer = std::make_shared<const Answer>(std::move(*outcome.answer));
  }
}

void Dns::Core::tell() {
  std::vector<std::pair<std::shared_ptr<Listener>, std::shared_ptr<const Answer>>> news;
  std::unique_lock lock(mutex);  // given back before the last owner of a listener goes
  for (auto& [question, entry] : entries) {
    if (!entry.has_ended) continue;
    for (const auto& listener : entry.listeners)
      if (!listener->is_told || listener->told != entry.answer) news.emplace_back(listener, entry.answer);
  }
  for (auto& [listener, answer] : news) {
    if (listener->is_gone || is_stopping) continue;
    listener->is_told = true;
    listener->told = answer;
    running = listener.get();
    lock.unlock();
    listener->changed(std::move(answer));
    lock.lock();
    running = nullptr;
    has_run.notify_all();
  }
}

std::optional<std::chrono::milliseconds> Dns::Core::time_to_next() {
  const std::lock_guard lock(mutex);
  if (looking == most_at_once) return std::nullopt;  // a reply makes room
  std::optional<Clock::time_point> next;
  for (const auto& [question, entry] : entries)
    if (!entry.is_looking && (!next || entry.next < *next)) next = entry.next;
  if (!next) return std::nullopt;
  const Clock::time_point time = now();
  if (*next <= time) return std::chrono::milliseconds(0);
  return std::chrono::ceil<std::chrono::milliseconds>(*next - time);
}

void Dns::Core::forget(const Question& question, const std::shared_ptr<Listener>& listener) {
  Changed changed;  // destroyed without the mutex, as what it owns may have to do with this object
  std::unique_lock lock(mutex);
  listener->is_gone = true;
  if (const auto at = entries.find(question); at != entries.end()) {
    std::erase(at->second.listeners, listener);
    // One that is being looked up stays until that ends, so that a new watch does not ask again.
    if (at->second.listeners.empty() && !at->second.is_looking) entries.erase(at);
  }
  if (std::this_thread::get_id() != thread_id) has_run.wait(lock, [&] { return running != listener.get(); });
  if (running != listener.get()) changed.swap(listener->changed);
}

Dns::Dns(Options options) : core_(std::make_shared<Core>(std::move(options))) {}

Dns::~Dns() { stop(); }

void Dns::stop() {
  {
    const std::lock_guard lock(core_->mutex);
    GW_ASSERT(std::this_thread::get_id() != core_->thread_id);
    core_->is_stopping = true;
  }
  core_->wake();
  if (core_->thread.joinable()) core_->thread.join();
  const std::lock_guard lock(core_->mutex);
  core_->thread_id = {};
}

std::unique_ptr<Dns::Watch> Dns::watch(Question question, Changed changed) {
  auto listener = std::make_shared<Listener>(Listener{.changed = std::move(changed)});
  std::unique_ptr<Watch> watch(new Watch(core_, question, listener));
  {
    const std::lock_guard lock(core_->mutex);
    if (!core_->thread.joinable()) {
      core_->is_stopping = false;
      core_->thread = std::thread([core = core_.get()] { core->run(); });
    }
    core_->entries[std::move(question)].listeners.push_back(std::move(listener));
  }
  core_->wake();
  return watch;
}

void Dns::wake() { core_->wake(); }

Dns::Watch::Watch(std::shared_ptr<Core> core, Question question, std::shared_ptr<Listener> listener)
    : core_(std::move(core)), question_(std::move(question)), listener_(std::move(listener)) {}

Dns::Watch::~Watch() { core_->forget(question_, listener_); }

}  // namespace net
}  // namespace v0
}  // namespace gw
