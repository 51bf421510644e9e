#include <gw/context.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>

namespace gw {
inline namespace v0 {
namespace {

/// Mixes all bits of a word with all others: the finaliser of splitmix64.
constexpr std::uint64_t mixed(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Writes 16 digits.
char* put_hex(char* out, std::uint64_t word) noexcept {
  static constexpr auto pairs = [] {
    std::array<char, 512> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = "0123456789abcdef"[i % 2 == 0 ? i / 32 : i / 2 % 16];
    return table;
  }();
  for (int shift = 56; shift >= 0; shift -= 8) out = std::copy_n(pairs.data() + 2 * ((word >> shift) & 255), 2, out);
  return out;
}

constexpr std::size_t made_id_size = 32;

/// Writes the id that the gateway gives to a request.
char* put_made_id(char* out, std::uint64_t left, std::uint64_t right) noexcept {
  // A Feistel network permutes the pairs of seed and number: ids look random and never repeat.
  for (const std::uint64_t key : {0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u, 0xaef17502108ef2d9u, 0x8cb92ba72f3d8dd7u}) {
    left ^= mixed(right + key);
    std::swap(left, right);
  }
  return put_hex(put_hex(out, left), right);
}

Task<Result<Response>> no_gateway() { co_return Failure(Error::no_endpoint); }

}  // namespace

Context::Context() { detail::ContextAccess::begin(*this, nullptr, 0, 0, {}); }
Context::~Context() { detail::ContextAccess::end(*this); }

void Context::reply(Response response) {
  check_thread();
  if (head_sent_) {
    log(LogLevel::warning, "reply " + std::to_string(response.status) + " ignored: the head of the response has been sent");
    return;
  }
  res = std::move(response);
  has_reply_ = true;
}

void Context::fail(Failure failure) {
  failure_ = failure;
  reply(Response::error(status_of(failure.code), message_of(failure.code)));
}

Task<Result<Response>> Context::send(const Upstream& upstream, Request request) {
  check_thread();
  return host_ ? host_->send(upstream, std::move(request)) : no_gateway();
}

std::string_view Context::id() const {
  check_thread();
  if (id_.empty()) {
    char* const digits = arena_.allocate(made_id_size);
    put_made_id(digits, id_seed_, id_number_);
    id_ = {digits, made_id_size};
  }
  return id_;
}

void Context::set_id(std::string_view id) {
  check_thread();
  if (id.size() <= detail::ContextAccess::longest_id && is_token(id)) id_ = arena_.copy(id);
}

void Context::set_consumer(std::string_view name) {
  check_thread();
  consumer_ = arena_.copy(name);
}

int Context::final_status() const noexcept {
  if (head_sent_) return res.status;
  const bool client_left = !has_reply_ || (failure_ && failure_->code == Error::client_gone);
  return client_left ? status_of(Error::client_gone) : res.status;
}

void Context::log(LogLevel level, std::string_view line) const {
  if (!host_) return;
  std::string text;
  text.append(line).append(" (request ").append(id()).append(")");
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  host_->log(level, text);
}

namespace detail {

namespace {

// What the system's clock shows at `time`, which is now. That clock is read once a second and thread: looking at one costs as much as
// a small stage.
std::chrono::system_clock::time_point system_time(std::chrono::steady_clock::time_point time) {
  using std::chrono::system_clock, std::chrono::steady_clock;
  struct Reading {
    steady_clock::time_point ends;
    system_clock::duration offset{0};
  };
  thread_local Reading reading;
  const auto since = std::chrono::duration_cast<system_clock::duration>(time.time_since_epoch());
  if (time >= reading.ends) reading = {time + std::chrono::seconds(1), system_clock::now().time_since_epoch() - since};
  return system_clock::time_point(since + reading.offset);
}

}  // namespace

void ContextAccess::begin(Context& c, Host* host, std::uint64_t id_seed, std::uint64_t id_number, std::string_view peer_address) {
  c.host_ = host;
  c.id_seed_ = id_seed;
  c.id_number_ = id_number;
  c.client_address_ = c.peer_address_ = peer_address;
  c.bytes_received_ = 0;  // content that was dropped behind the last response has moved it
  c.received_steady_ = c.started_steady_ = std::chrono::steady_clock::now();
  c.started_ = system_time(c.started_steady_);
  c.thread_ = std::this_thread::get_id();
}

void ContextAccess::set_client(Context& c, const IpAddress& address, std::string_view scheme) {
  c.is_peer_trusted_ = true;
  c.client_address_ = c.arena_.copy(address.to_string());
  c.client_scheme_ = scheme;
}

char* ContextAccess::put_id(const Context& c, char* to) noexcept {
  if (c.id_.empty()) return put_made_id(to, c.id_seed_, c.id_number_);
  return std::copy(c.id_.begin(), c.id_.end(), to);
}

void ContextAccess::end(Context& c) {
  // Bodies first: a filter may use a slot.
  c.req.clear();
  c.res.clear();
  c.slots_.clear();
  if (!c.params.empty()) c.params = {};
  c.has_reply_ = c.head_sent_ = c.is_complete_ = c.is_peer_trusted_ = false;
  c.failure_.reset();
  c.host_ = nullptr;
  c.route_ = c.client_address_ = c.peer_address_ = c.consumer_ = c.id_ = {};
  c.client_scheme_ = "http";
  c.bytes_sent_ = c.bytes_received_ = 0;
  c.ended_steady_ = {};
  c.on_abandoned_ = nullptr;
  c.entered_ = 0;
  c.arena_.clear();
}

void ContextAccess::set_params(Context& c, const Params& raw) {
  if (raw.empty() && c.params.empty()) return;
  c.params = raw;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const std::string_view value = raw.at(i).value;
    if (value.find('%') != value.npos) c.params.borrow_value(i, c.arena_.copy(percent_decode(value)));
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
