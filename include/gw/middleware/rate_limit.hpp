/// \file
/// Level 4: the stage `rate_limit`.
#pragma once

#include <gw/middleware.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace gw {
inline namespace v0 {
namespace detail {
class RateLimiter;
}

/// Whose requests are counted together.
enum class RateLimitBy {
  client,    ///< those of a client's address; of IPv6 those of its /64, which is one subscriber
  consumer,  ///< those of who authenticated (`Context::consumer`), set by stages before this one
  header,    ///< those with the same value of a header field
};

/// The options of `rate_limit`.
struct RateLimitOptions {
  std::uint64_t rate = 0;                                 ///< how many requests, 1 to 1,000,000,000; required
  std::chrono::nanoseconds per = std::chrono::seconds(1); ///< in how long: above zero, at most 8760 hours
  std::uint64_t burst = 0;                                ///< how many at once, after a pause; 0: `rate`
  RateLimitBy by = RateLimitBy::client;                   ///< without consumer or header it is the client
  std::string header = {};                                ///< the name, for `RateLimitBy::header`
  std::size_t size = 65'536;                              ///< how many keys are remembered, 1 to 10,000,000: 64 bytes each
  std::chrono::steady_clock::time_point (*now)() = nullptr;  ///< for tests; null: when the request was there
};

/// Grants each key `rate` requests per `per`, evenly, and `burst` of them at once. The others are answered
/// 429 (`Error::rate_limited`) with `Retry-After`. Every answer has `RateLimit-Limit` (the burst),
/// `RateLimit-Remaining` and `RateLimit-Reset` (seconds until all of the burst is there again); of several such stages those of
/// the tightest.
///
/// All workers count together, exactly (GCRA in integers). Keys beyond `size` push out idle ones.
/// A reload keeps the counts of the same route, as long as `by`, `header` and `size` stay. Copies count
/// together; so do all uses of one stage.
class GW_EXPORT RateLimit {
 public:
  static constexpr std::string_view stage_name = "rate_limit";

  /// Throws `ConfigError` with everything that is wrong with the options.
  explicit RateLimit(RateLimitOptions options);

  void request(Context& c) const;
  void response(Context& c) const;
  /// This limit with the counts of `old`.
  RateLimit inherit(const RateLimit& old) const;

 private:
  explicit RateLimit(std::shared_ptr<const detail::RateLimiter> limiter) noexcept : limiter_(std::move(limiter)) {}
  std::shared_ptr<const detail::RateLimiter> limiter_;
};

/// `app.use(gw::rate_limit({.rate = 100, .per = 1s}));`
inline Stage rate_limit(RateLimitOptions options) { return RateLimit(std::move(options)); }

}  // namespace v0
}  // namespace gw
