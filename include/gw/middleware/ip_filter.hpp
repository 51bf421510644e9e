/// \file
/// Level 4: the stage `ip_filter`.
#pragma once

#include <gw/middleware.hpp>
#include <gw/network.hpp>

#include <string>
#include <vector>

namespace gw {
inline namespace v0 {

/// The options of `ip_filter`: networks ("10.0.0.0/8", "2001:db8::/32") or addresses.
struct IpFilterOptions {
  std::vector<std::string> allow = {};  ///< who may pass; empty: everybody whom `deny` does not have
  std::vector<std::string> deny = {};   ///< who may not, also if `allow` has him
};

/// Lets clients pass by their address (`Context::client_address`); the others are answered 403
/// (`Error::forbidden`). `deny` wins over `allow`, whichever is narrower, so no order and no length of a prefix has to be
/// thought of. What the program itself sends by `Gateway::dispatch` has no address and passes.
class GW_EXPORT IpFilter {
 public:
  static constexpr std::string_view stage_name = "ip_filter";

  /// Throws `ConfigError` with a problem for every text that is no network, and if there are none.
  explicit IpFilter(const IpFilterOptions& options);

  void request(Context& c) const;

 private:
  Networks allow_, deny_;
};

/// `app.use(gw::ip_filter({.allow = {"10.0.0.0/8"}}));`
inline Stage ip_filter(const IpFilterOptions& options) { return IpFilter(options); }

}  // namespace v0
}  // namespace gw
