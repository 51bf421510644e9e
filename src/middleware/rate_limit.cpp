#include <gw/middleware/rate_limit.hpp>

#include "middleware/rate_table.hpp"

#include <array>
#include <charconv>

namespace gw {
inline namespace v0 {
namespace detail {

namespace {

constexpr std::uint64_t most = 1'000'000'000;
constexpr std::size_t most_keys = 10'000'000;
constexpr auto longest = std::chrono::hours(8760);
// What one subscriber has of IPv6 (RFC 6177): the rest of the bits is his to choose.
constexpr unsigned subscriber_prefix = 64;

Rate rate_of(const RateLimitOptions& o) {
  return Rate{o.rate, static_cast<std::uint64_t>(o.per.count()), o.burst > 0 ? o.burst : o.rate}.reduced();
}

const RateLimitOptions& checked(const RateLimitOptions& o) {
  Problems problems;
  const auto problem = [&](std::string what) { problems.push_back({Place{}, std::move(what)}); };
  if (o.rate < 1 || o.rate > most) problem("rate_limit needs a rate from 1 to " + std::to_string(most));
  if (o.per.count() <= 0 || o.per > longest) problem("per must be above zero and at most 8760h");
  if (o.burst > most) problem("burst is at most " + std::to_string(most));
  if (o.size < 1 || o.size > most_keys) problem("size must be from 1 to " + std::to_string(most_keys));
  if (o.by == RateLimitBy::header && !is_token(o.header)) problem('"' + o.header + "\" is not a header name");
  if (o.by != RateLimitBy::header && !o.header.empty()) problem("a header is named, but requests are not counted by it");
  if (problems.empty() && !rate_of(o).is_exact()) problem("burst times per is too large to be counted exactly: choose a rate that divides per");
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return o;
}

// What the tightest limit has said so far about this request, and the fields that tell it.
struct Quota {
  std::uint64_t limit = 0;
  std::uint64_t remaining = 0;
  std::uint64_t reset = 0;  // nanoseconds
  std::array<std::array<char, 20>, 4> digits;

  void tighten(std::uint64_t burst, const Verdict& v) {
    if (limit > 0 && (remaining < v.remaining || (remaining == v.remaining && reset >= v.reset))) return;
    limit = burst;
    remaining = v.remaining;
    reset = v.reset;
  }

  // A slot lives as long as the headers, which borrow from it.
  void set(Headers& headers, std::size_t place, std::string_view name, std::uint64_t number) {
    char* const begin = digits[place].data();
    const char* const end = std::to_chars(begin, begin + digits[place].size(), number).ptr;
    headers.remove(name);
    headers.borrow(name, {begin, static_cast<std::size_t>(end - begin)});
  }
};

// Whole seconds: a client that waits so long does not come too early.
std::uint64_t seconds(std::uint64_t nanoseconds) { return (nanoseconds + 999'999'999) / 1'000'000'000; }

void tell(Context& c, Quota& quota) {
  quota.set(c.res.headers, 0, "RateLimit-Limit", quota.limit);
  quota.set(c.res.headers, 1, "RateLimit-Remaining", quota.remaining);
  quota.set(c.res.headers, 2, "RateLimit-Reset", seconds(quota.reset));
}

}  // namespace

/// A limit and what it has counted.
class RateLimiter {
 public:
  explicit RateLimiter(RateLimitOptions options)
      : RateLimiter(options, std::make_shared<RateTable>(checked(options).size)) {}
  RateLimiter(RateLimitOptions options, std::shared_ptr<RateTable> table)
      : options_(std::move(options)), rate_(rate_of(options_)), table_(std::move(table)) {}

  /// Counts a request and refuses it if it is one too many.
  void request(Context& c) const {
    const auto time = options_.now ? options_.now() : ContextAccess::received(c);
    const auto now = std::chrono::nanoseconds(time.time_since_epoch()).count();
    const Verdict verdict = table_->take(key_of(c), static_cast<std::uint64_t>(now), rate_);
    Quota& quota = c.slot<Quota>();
    quota.tighten(rate_.burst, verdict);
    if (verdict.is_granted) return;
    c.fail(Failure(Error::rate_limited, Origin::client));
    quota.set(c.res.headers, 3, "Retry-After", seconds(verdict.retry));
    tell(c, quota);
  }

  /// Whether what `other` has counted means the same here.
  bool counts_like(const RateLimiter& other) const {
    return options_.by == other.options_.by && iequals(options_.header, other.options_.header) && options_.size == other.options_.size;
  }
  const RateLimitOptions& options() const noexcept { return options_; }
  const std::shared_ptr<RateTable>& table() const noexcept { return table_; }

 private:
  Fingerprint key_of(const Context& c) const {
    if (options_.by == RateLimitBy::consumer && !c.consumer().empty()) return table_->fingerprint(KeyKind::consumer, c.consumer());
    if (options_.by == RateLimitBy::header) {
      const std::string_view value = c.req.headers[options_.header];
      if (!value.empty()) return table_->fingerprint(KeyKind::header, value);
    }
    // The process itself has no address.
    const std::optional<IpAddress> client = IpAddress::parse(c.client_address());
    if (!client) return table_->fingerprint(KeyKind::client, {});
    const IpAddress::Bytes bytes = client->prefix(client->is_v4() ? client->width() : subscriber_prefix).bytes();
    return table_->fingerprint(KeyKind::client, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  RateLimitOptions options_;
  Rate rate_;
  std::shared_ptr<RateTable> table_;
};

}  // namespace detail

RateLimit::RateLimit(RateLimitOptions options) : limiter_(std::make_shared<const detail::RateLimiter>(std::move(options))) {}

void RateLimit::request(Context& c) const { limiter_->request(c); }
void RateLimit::response(Context& c) const {
  if (c.find_slot<detail::Quota>()) detail::tell(c, c.slot<detail::Quota>());
}

RateLimit RateLimit::inherit(const RateLimit& old) const {
  if (!limiter_->counts_like(*old.limiter_)) return *this;
  return RateLimit(std::make_shared<const detail::RateLimiter>(limiter_->options(), old.limiter_->table()));
}

}  // namespace v0
}  // namespace gw
