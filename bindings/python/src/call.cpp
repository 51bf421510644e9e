#include "call.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <chrono>

namespace gw_python {

namespace {

// What is ready of the content of a request is handed over with it, up to so many bytes.
constexpr std::size_t ready_content = 64 * 1024;

// Memory for shared objects that a thread makes again and again: what it gave back last it gets first.
template <class T>
struct Recycling {
  using value_type = T;
  Recycling() = default;
  template <class U>
  Recycling(const Recycling<U>&) noexcept {}

  struct Free {
    std::vector<void*> blocks;
    ~Free() {
      for (void* block : blocks) ::operator delete(block);
    }
  };
  static Free& free() {
    static thread_local Free free;
    return free;
  }
  static constexpr std::size_t kept_at_most = 256;

  T* allocate(std::size_t n) {
    std::vector<void*>& blocks = free().blocks;
    if (n != 1 || blocks.empty()) return static_cast<T*>(::operator new(n * sizeof(T)));
    void* const block = blocks.back();
    blocks.pop_back();
    return static_cast<T*>(block);
  }
  void deallocate(T* block, std::size_t n) {
    std::vector<void*>& blocks = free().blocks;
    if (n == 1 && blocks.size() < kept_at_most) blocks.push_back(block);
    else ::operator delete(block);
  }
  template <class U>
  bool operator==(const Recycling<U>&) const noexcept { return true; }
};

gw::Failure handler_failed() { return gw::Failure(gw::Error::handler_failed, gw::Origin::gateway); }

}  // namespace

Call::Call(const gw::Context& c, std::shared_ptr<Link> link, std::shared_ptr<Queue> queue) : link_(std::move(link)), queue_(std::move(queue)) {
  const auto keep = [this](std::string_view text) {
    char* const copy = static_cast<char*>(memory_.allocate(text.size() + 1, 1));
    std::copy(text.begin(), text.end(), copy);
    return std::string_view(copy, text.size());
  };
  asked_ = {gw::to_string(c.req.method), keep(c.req.target()), keep(c.req.path()), keep(c.req.query()), keep(c.req.authority()), keep(c.route()), keep(c.id()),
            keep(c.client_address()), keep(c.peer_address()), keep(c.client_scheme()), keep(c.consumer()), std::pmr::vector<Field>(&memory_), std::pmr::vector<Field>(&memory_)};
  asked_.headers.reserve(static_cast<std::size_t>(std::distance(c.req.headers.begin(), c.req.headers.end())));
  for (const gw::Headers::Field& field : c.req.headers) asked_.headers.emplace_back(keep(field.name), keep(field.value));
  asked_.params.reserve(c.params.size());
  for (const auto& parameter : c.params) asked_.params.emplace_back(keep(parameter.name), keep(parameter.value));
  asked_.elapsed = c.elapsed().count();
  asked_.minor_version = c.req.version == gw::Version::http10 ? 0 : 1;
  asked_.is_peer_trusted = c.is_peer_trusted();
  has_content_ = c.req.body.empty();
}

std::shared_ptr<Call> Call::make(const gw::Context& c, std::shared_ptr<Link> link, std::shared_ptr<Queue> queue) {
  return std::allocate_shared<Call>(Recycling<Call>(), c, std::move(link), std::move(queue));
}

void Call::take_ready_content(gw::Body& body) {
  while (!has_content_ && content_.size() < ready_content) {
    const std::optional<gw::Chunk> chunk = body.ready();
    if (!chunk) return;
    content_ += *chunk;
    has_content_ = chunk->empty();
  }
}

void Call::set_outcome(const gw::Context& c) {
  outcome_.status = c.is_head_sent() || !is_record_ ? c.res.status : c.final_status();
  outcome_.headers.clear();
  for (const gw::Headers::Field& field : c.res.headers) outcome_.headers.emplace_back(field.name, field.value);
  outcome_.bytes_sent = c.bytes_sent();
  outcome_.bytes_received = c.bytes_received();
  outcome_.is_complete = c.is_complete();
}

// --- What Python says -------------------------------------------------------------------------------------

void Call::expect_going_on() const {
  if (is_over()) throw CallError("the request is over");
}

void Call::expect_turn() {
  expect_going_on();
  if (!is_with_python_.exchange(false)) throw CallError("this was answered already");
}

void Call::say(Said said) {
  said_ = said;
  post([](Call& self, gw::Context* c) {
    if (!c) {
      self.response_ = gw::Response();  // a body in it would keep this call
      return;
    }
    self.is_answered_ = true;
    self.answered_.notify();
  });
}

void Call::keep() {
  if (!link_ || !link_->keep()) throw CallError("the request is over");
}

void Call::reply(gw::Response response) {
  expect_turn();
  response_ = std::move(response);
  say(Said::reply);
}

void Call::fail() {
  expect_turn();
  say(Said::fail);
}

void Call::next(Edits edits, std::size_t number, bool is_last) {
  expect_turn();
  edits_ = std::move(edits);
  next_number_ = number;
  has_gone_on_ = true;
  say(is_last ? Said::pass : Said::next);
}

void Call::leave(Edits edits) {
  expect_turn();
  edits_ = std::move(edits);
  say(Said::leave);
}

void Call::give(std::string piece) { answer_pull(std::move(piece)); }

void Call::finish(bool is_whole) { answer_pull(is_whole ? std::optional<std::string>("") : std::nullopt); }

void Call::answer_pull(std::optional<std::string> piece) {
  expect_going_on();
  if (!is_pulled_.exchange(false)) throw CallError("nobody waits for a piece");
  pulled_ = std::move(piece);
  post([](Call& self, gw::Context* c) {
    if (!c) return;
    self.is_pull_answered_ = true;
    self.pull_answered_.notify();
  });
}

void Call::abandon(const Item& item) {
  if (item.kind != Item::Kind::pull && is_with_python_.exchange(false)) return say(Said::nothing);
  try {
    if (is_pulled_) finish(false);
  } catch (const CallError&) {
    // It is over by now, or answered.
  }
}

// --- Content ----------------------------------------------------------------------------------------------

void Call::start_reading(void (*begin)(Call&, gw::Context*), bool is_response, bool is_waited_for, std::size_t number) {
  expect_going_on();
  // Whoever comes behind a stage reads, too, and there is one reader at a time.
  if (is_stage_ && (!is_with_python_ || (has_gone_on_ && !is_response))) throw CallError("content is read before next(), that of the response behind it");
  if (is_read_wanted_.exchange(true)) throw CallError("the content is being read already");
  is_waited_for_ = is_waited_for;
  read_number_ = number;
  {
    const std::lock_guard lock(mutex_);
    piece_.reset();
  }
  post(begin);
}

template <bool is_response, bool whole>
void Call::begin_reading(Call& self, gw::Context* c) {
  if (!c) return self.deliver(gw::Failure(gw::Error::client_gone, gw::Origin::client));
  ++self.readers_;
  asio::co_spawn(self.link_->worker(), self.read_content(*c, is_response, whole), asio::detached);
}

void Call::read(bool whole, std::size_t number) { start_reading(whole ? &begin_reading<false, true> : &begin_reading<false, false>, false, false, number); }

void Call::read_response(std::size_t number) { start_reading(&begin_reading<true, true>, true, false, number); }

gw::Result<std::string> Call::read_now(bool whole) {
  start_reading(whole ? &begin_reading<false, true> : &begin_reading<false, false>, false, true, 0);
  std::unique_lock lock(mutex_);
  // A worker that is left behind tells nothing.
  while (!delivered_.wait_for(lock, std::chrono::seconds(1), [this] { return piece_.has_value(); }))
    if (is_over()) return gw::Failure(gw::Error::client_gone, gw::Origin::client);
  return std::move(*piece_);
}

gw::Result<std::string> Call::take_piece() {
  const std::lock_guard lock(mutex_);
  if (!piece_) throw CallError("nothing was read");
  gw::Result<std::string> piece = std::move(*piece_);
  piece_.reset();
  return piece;
}

gw::Task<> Call::read_content(gw::Context& c, bool is_response, bool whole) {
  // The request does not end before this.
  const std::shared_ptr<Call> self = shared_from_this();
  gw::detail::Host* const host = gw::detail::ContextAccess::host(c);
  host->begin_reading();
  gw::Result<std::string> piece = handler_failed();
  try {
    gw::Body& body = is_response ? c.res.body : c.req.body;
    if (whole) {
      piece = co_await body.text(longest_content);
      // Those behind this stage, or the client, get it, too.
      if (piece) body = gw::Body(*piece);
    } else {
      std::optional<gw::Chunk> chunk = body.ready();
      if (!chunk) {
        const gw::Result<gw::Chunk> next = co_await body.read();
        if (next) chunk = *next;
        else piece = next.error();
      }
      if (chunk) piece = std::string(*chunk);
    }
  } catch (...) {
    c.log(gw::LogLevel::error, "the source of a body threw");
  }
  if (!piece && !is_response) read_failure_ = piece.error();
  --readers_;
  deliver(std::move(piece));
  read_ended_.notify();
  host->end_reading();
}

void Call::deliver(gw::Result<std::string> piece) {
  const bool is_waited_for = is_waited_for_;
  const std::size_t number = read_number_;
  {
    const std::lock_guard lock(mutex_);
    piece_ = std::move(piece);
    is_read_wanted_ = false;
  }
  delivered_.notify_all();
  // Otherwise whoever asked will not go on.
  if (!is_waited_for && !tell(Item::Kind::resumed, number)) abandon({Item::Kind::resumed, number, nullptr});
}

gw::Task<> Call::settle() {
  while (readers_ > 0) co_await read_ended_.wait();
}

// --- The worker -------------------------------------------------------------------------------------------

gw::Task<Call::Said> Call::ask(Item::Kind kind, std::size_t number) {
  is_with_python_ = true;
  if (!tell(kind, number)) {
    is_with_python_ = false;
    co_return Said::nothing;
  }
  while (!is_answered_) co_await answered_.wait();
  is_answered_ = false;
  co_return said_;
}

gw::Task<Call::Said> Call::resume() { return ask(Item::Kind::resumed, next_number_); }

gw::Task<std::optional<std::string>> Call::pull(std::size_t stream, Queue& queue) {
  is_pull_answered_ = false;
  is_pulled_ = true;
  if (!queue.push({Item::Kind::pull, stream, shared_from_this()}, &link_->worker())) co_return std::nullopt;
  while (!is_pull_answered_ && !is_cancelled_) co_await pull_answered_.wait();
  if (!is_pull_answered_) co_return std::nullopt;
  co_return std::move(pulled_);
}

void Call::cancel() {
  is_cancelled_ = true;
  // Not at once: who cancels does not expect that the response ends under its hands.
  post([](Call& self, gw::Context* c) {
    if (c) self.pull_answered_.notify();
  });
}

}  // namespace gw_python
