#include "gateway_state.hpp"

#include "config/check.hpp"
#include "config/parse.hpp"
#include "dispatch.hpp"
#include "exception_text.hpp"
#include "explain.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <exception>
#include <future>

namespace gw {
inline namespace v0 {

namespace {

// Tells gateways apart in Via without telling strangers anything about the machine.
std::string make_pseudonym() {
  char text[16];
  std::snprintf(text, sizeof text, "gw-%08x", static_cast<unsigned>(entropy()));
  return text;
}

// Gives back what loading a configuration took: free memory between what stays is kept otherwise.
void give_memory_back() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

void sort_by_place(Problems& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
}

Problem no_listener(const std::string& file) {
  const std::string_view other = file.empty() ? ", or give run() or start() an address" : "";
  return {Place{file, 0, 0, "listen"}, "there is nothing to listen on: add an address, as in `listen: \"127.0.0.1:8000\"`" + std::string(other)};
}

}  // namespace

Gateway::State::State() { shared.pseudonym = make_pseudonym(); }
Gateway::State::~State() = default;

Config Gateway::State::read_file() const {
  Problems problems;
  Config read = config::load(file, problems);
  if (problems.empty()) return read;
  // The file is wrong already: say all that is wrong with it at once.
  config::check_references(read, problems);
  check_routes(read, problems);
  sort_by_place(problems);
  throw ConfigError(std::move(problems));
}

std::shared_ptr<const proxy::Snapshot> Gateway::State::compile_or_throw(const Config& c) {
  Problems problems;
  auto compiled = compile(c, definitions, shared, problems, snapshot_.get());
  if (compiled) return compiled;
  sort_by_place(problems);
  throw ConfigError(std::move(problems));
}

Problems Gateway::State::check() {
  const std::lock_guard lock(change_);
  Problems problems;
  const Config& present = config.open();
  if (present.listen.empty()) problems.push_back(no_listener(file));
  if (const auto compiled = compile(present, definitions, shared, problems)) {
    Problems warnings = warnings_of(present, compiled->router);
    sort_by_place(warnings);
    return warnings;
  }
  sort_by_place(problems);
  throw ConfigError(std::move(problems));
}

RouteTree Gateway::State::routes() {
  const std::lock_guard lock(change_);
  return is_running_ ? route_tree(snapshot_->router) : route_tree(router_of(config.open()));
}

void Gateway::State::start() {
  const std::lock_guard lock(change_);
  if (is_running_) throw ConfigError("the gateway runs already");
  start_locked();
}

void Gateway::State::serve(std::function<void()> stopped) {
  const std::lock_guard lock(change_);
  if (!is_running_) start_locked();
  on_stopped_ = std::move(stopped);
}

void Gateway::State::start_locked() {
  const Config& present = config.open();
  if (present.listen.empty()) throw ConfigError({no_listener(file)});
  const unsigned workers = present.workers ? present.workers : std::max(1u, std::thread::hardware_concurrency());
  shared.metrics.set_workers(1 + workers);  // 0 is the private one
  snapshot_ = compile_or_throw(present);
  snapshot_->follow_names();

  {
    const std::lock_guard guard(workers_change_);
    for (unsigned i = 1; i <= workers; ++i) workers_.push_back(std::make_unique<WorkerThread>(shared, i));
  }
  publish(snapshot_);
  try {
    Problems problems;
    listening_ = open_listeners(present, problems);
    if (problems.empty()) listen_for_admin(present, *snapshot_, problems);
    if (!problems.empty()) throw ConfigError(std::move(problems));
  } catch (...) {
    end_workers(Duration(0));
    shared.names.each([](net::Dns& dns) { dns.stop(); });
    throw;
  }
  is_running_ = true;
  check_endpoints(snapshot_);
  shared.metrics.configured(true);
  config.pack(snapshot_);
  give_memory_back();
  for (const Listening& l : listening_) shared.log(LogLevel::info, "listening on " + to_text(l.bound));
}

void Gateway::State::publish(std::shared_ptr<const proxy::Snapshot> snapshot) {
  std::vector<std::string_view> names;
  names.reserve(snapshot->router.size());
  for (std::size_t i = 0; i < snapshot->router.size(); ++i) names.push_back(snapshot->router.name(i));
  shared.metrics.set_routes(names);
  shared.metrics.set_stages(snapshot->stages());
  shared.metrics.set_endpoints([weak = std::weak_ptr(snapshot)] {
    const auto alive = weak.lock();
    return alive ? alive->endpoints() : std::vector<proxy::EndpointStatus>();
  });
  for (const auto& w : workers_) w->post([&worker = w->worker(), snapshot] { worker.publish(snapshot); });
}

bool Gateway::State::is_on_worker() {
  const std::lock_guard guard(workers_change_);
  return std::any_of(workers_.begin(), workers_.end(), [](const auto& w) { return w->is_this_thread(); });
}

// Waits until the workers have done what was posted to them. Not while `change_` is held: a worker
// may be waiting for that. A worker itself does not wait; it sees the change with its next request.
void Gateway::State::wait_for_workers() {
  std::vector<std::future<void>> waits;
  {
    const std::lock_guard guard(workers_change_);
    for (const auto& w : workers_) {
      if (w->is_this_thread()) return;
      auto done = std::make_shared<std::promise<void>>();
      waits.push_back(done->get_future());
      w->post([done] { done->set_value(); });
    }
  }
  for (std::future<void>& wait : waits) wait.wait();
}

void Gateway::State::stop() {
  GW_ASSERT(!is_on_worker());  // it would wait for itself
  const std::lock_guard lock(change_);
  if (!is_running_) return;
  shared.log(LogLevel::info, "stopping: running requests have " + std::to_string(config.settings().timeouts.drain.count()) + " ms to end");
  if (admin_) admin_->begin_drain();
  stop_checks();
  for (Listening& l : listening_) close(l);
  end_workers(config.settings().timeouts.drain);
  // A worker that was left behind keeps what names were followed for.
  shared.names.each([](net::Dns& dns) { dns.stop(); });
  admin_.reset();
  is_running_ = false;
  if (on_stopped_) std::exchange(on_stopped_, nullptr)();
}

void Gateway::State::end_workers(Duration limit) {
  for (const auto& w : workers_) w->begin_finish(limit);
  for (const auto& w : workers_) w->end_finish(limit);
  const std::lock_guard guard(workers_change_);
  listening_.clear();
  workers_.clear();
}

void Gateway::State::abort() {
  const std::lock_guard guard(workers_change_);
  for (const auto& w : workers_) asio::post(w->worker().io, [&worker = w->worker()] { worker.abort(); });
}

// Does `f`, which applies a configuration, and notes how that ended. Either way the workers have done
// then what it has posted to them: a listener that was opened for nothing is closed again.
template <class F>
void Gateway::State::change(F&& f) {
  std::exception_ptr failed;
  {
    const std::lock_guard lock(change_);
    try {
      f();
    } catch (...) {
      failed = std::current_exception();
    }
    if (is_running_) shared.metrics.configured(!failed);
  }
  wait_for_workers();
  give_memory_back();  // not sooner: the snapshot before was the workers' too
  if (failed) std::rethrow_exception(failed);
}

void Gateway::State::apply(Config next) {
  change([&] { apply_locked(std::move(next)); });
}

void Gateway::State::apply_locked(Config next) {
  if (!is_running_) {
    compile_or_throw(next);
    config.set(std::move(next));
    return;
  }
  Problems problems;
  if (const unsigned workers = config.settings().workers; next.workers != workers) {
    Place place = next.workers_place;
    if (place.path.empty()) place.path = "workers";
    problems.push_back({place, "the number of workers cannot change while the gateway runs; it is " + std::to_string(workers)});
  }
  if (next.listen.empty()) problems.push_back(no_listener(file));
  auto compiled = compile(next, definitions, shared, problems, snapshot_.get());
  std::vector<Listening> opened;
  if (compiled) compiled->follow_names();
  if (compiled) opened = open_listeners(next, problems);
  if (problems.empty()) listen_for_admin(next, *compiled, problems);
  if (!problems.empty()) {
    for (Listening& l : opened) close(l);
    sort_by_place(problems);
    throw ConfigError(std::move(problems));
  }

  snapshot_ = std::move(compiled);
  publish(snapshot_);
  check_endpoints(snapshot_);
  use_listeners(next, std::move(opened));
  if (next.admin.address.empty()) admin_.reset();
  else admin_->publish(next, *snapshot_);
  config.set(std::move(next));
  config.pack(snapshot_);
}

void Gateway::State::reload() {
  change([&] { reload_locked(); });
}

void Gateway::State::reload_locked() {
  if (snapshot_)
    for (const Stage& s : snapshot_->stages()) s.reopen();
  const Config present = config.copy();
  if (file.empty()) return apply_locked(present);

  Config next = read_file();
  FileSettings read(next);
  // What code has added comes without a file in its place.
  const auto add_code = [](auto& to, const auto& from, auto&& place_of) {
    for (const auto& item : from)
      if (place_of(item).file.empty()) to.push_back(item);
  };
  const auto place = [](const auto& item) -> const Place& { return item.place; };
  add_code(next.listen, present.listen, place);
  add_code(next.upstreams, present.upstreams, place);
  add_code(next.routes, present.routes, place);
  add_code(next.use, present.use, [](const StageConfig& s) -> const Place& { return s.place(); });
  file_settings.keep_changes(next, present);
  if (present.admin.place.file.empty() && !present.admin.address.empty()) next.admin = present.admin;
  if (present.workers_place.file.empty() && present.workers != 0) next.workers = present.workers;
  apply_locked(std::move(next));
  file_settings = std::move(read);
}

void Gateway::State::reload_and_log() {
  try {
    reload();
    shared.log(LogLevel::info, "configuration reloaded");
  } catch (const ConfigError& e) {
    shared.log(LogLevel::error, "reload failed, the old configuration serves on:");
    for (const Problem& p : e.problems()) shared.log(LogLevel::error, p.text());
  }
}

Explanation Gateway::State::explain(const Request& request, std::string_view peer) {
  std::shared_ptr<const proxy::Snapshot> snapshot;
  std::shared_ptr<const Networks> trusted;
  {
    const std::lock_guard lock(change_);
    snapshot = is_running_ ? snapshot_ : compile_or_throw(config.open());
    const std::vector<ListenConfig>& listen = config.settings().listen;
    if (!listen.empty()) trusted = networks_of(listen.front().options.trusted);
  }
  return gw::explain(snapshot, request, peer, trusted.get());
}

Response Gateway::State::dispatch(Request request) {
  GW_ASSERT(!is_on_worker());  // it would wait for itself
  const std::lock_guard one_at_a_time(dispatching_);
  std::shared_ptr<const proxy::Snapshot> snapshot;
  {
    const std::lock_guard lock(change_);
    snapshot = is_running_ ? snapshot_ : compile_or_throw(config.open());
    snapshot->follow_names();
  }
  if (!private_worker_) private_worker_ = std::make_unique<WorkerThread>(shared, 0);
  Response response;
  std::promise<void> done;
  private_worker_->post([&] {
    proxy::Worker& worker = private_worker_->worker();
    worker.publish(std::move(snapshot));
    asio::co_spawn(worker.io, dispatch_on(worker, request, response), [&](std::exception_ptr) { done.set_value(); });
  });
  done.get_future().wait();
  return response;
}

void Gateway::State::post(unsigned worker, std::function<void()> f) {
  const std::lock_guard guard(workers_change_);
  if (worker >= workers_.size()) return;
  workers_[worker]->post([this, f = std::move(f)] {
    try {
      f();
    } catch (...) {
      shared.log(LogLevel::error, "what was posted to a worker threw: " + detail::text_of(std::current_exception()));
    }
  });
}

}  // namespace v0
}  // namespace gw
