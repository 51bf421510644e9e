#include <gw/middleware/ip_filter.hpp>

namespace gw {
inline namespace v0 {

IpFilter::IpFilter(const IpFilterOptions& options) {
  Problems problems;
  const auto read = [&](const char* list, const std::vector<std::string>& texts) {
    std::vector<Network> networks;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (const auto network = Network::parse(texts[i])) networks.push_back(*network);
      else problems.push_back({Place{{}, 0, 0, list + ('[' + std::to_string(i) + ']')}, detail::network_mistake(texts[i])});
    }
    return Networks(networks);
  };
  allow_ = read("allow", options.allow);
  deny_ = read("deny", options.deny);
  if (options.allow.empty() && options.deny.empty()) problems.push_back({{}, "ip_filter has nobody to allow or deny"});
  if (!problems.empty()) throw ConfigError(std::move(problems));
}

void IpFilter::request(Context& c) const {
  const std::optional<IpAddress> client = IpAddress::parse(c.client_address());
  if (!client) return;
  if (deny_.contains(*client) || !(allow_.empty() || allow_.contains(*client))) c.fail(Failure(Error::forbidden, Origin::client));
}

}  // namespace v0
}  // namespace gw
