/// \file
/// Fuzz target: replies of DNS servers. The first byte chooses what was asked for.
#include "net/dns_reply.hpp"

#include <gw/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gw::net::RecordType;
  if (size == 0) return 0;
  constexpr RecordType types[] = {RecordType::a, RecordType::aaaa, RecordType::srv};
  const RecordType type = types[data[0] % 3];
  const std::span<const std::uint8_t> reply(data + 1, size - 1);

  const auto records = gw::net::read_reply(reply, type);
  if (!records) return 0;
  // The shortest records: a pointer as the name, ten bytes of head, the data.
  GW_ASSERT(records->addresses.size() * 16 <= reply.size() && records->services.size() * 19 <= reply.size());
  GW_ASSERT(type == RecordType::srv ? records->addresses.empty() : records->services.empty());
  GW_ASSERT(records->empty() || records->ttl <= INT32_MAX);
  for (const auto& a : records->addresses) GW_ASSERT(a.is_v4() == (type == RecordType::a));
  for (const auto& s : records->services) {
    GW_ASSERT(!s.target.empty() && s.target.size() <= 254);
    GW_ASSERT(std::all_of(s.target.begin(), s.target.end(), [](char c) { return c > ' ' && c < 0x7F && c != '\\'; }));
  }
  // What follows the records is not looked at.
  std::vector<std::uint8_t> longer(reply.begin(), reply.end());
  longer.push_back(0);
  const auto again = gw::net::read_reply(longer, type);
  GW_ASSERT(again && again->addresses == records->addresses && again->services.size() == records->services.size());
  return 0;
}
