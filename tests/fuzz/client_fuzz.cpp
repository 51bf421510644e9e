/// \file
/// Fuzz target: who the client is. Addresses and networks, what a trusted proxy says (X-Forwarded-For, Forwarded), and keys in
/// fields and queries, and cookies, all from the input.
#include <gw/context.hpp>
#include <gw/middleware/key_auth.hpp>
#include <gw/network.hpp>

#include "proxy/affinity.hpp"
#include "proxy/client_address.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

/// Of the key "k".
const gw::Stage& stage() {
  static const gw::KeyAuth keys(gw::KeyAuthOptions{.keys = {{"alice", "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a"}},
                                                   .header = "X-Key",
                                                   .query = "key",
                                                   .bearer = true});
  static const gw::Stage made(keys);
  return made;
}

void check_address(std::string_view text) {
  const auto address = gw::IpAddress::parse(text);
  if (address) GW_ASSERT(gw::IpAddress::parse(address->to_string()) == address);
  const auto network = gw::Network::parse(text);
  if (network && address) GW_ASSERT(network->contains(*address));
}

void check_cookie(std::string_view line) {
  gw::Headers headers;
  headers.borrow("Cookie", line);
  const auto value = gw::proxy::cookie_of(headers, "k");
  if (!value) return;
  GW_ASSERT(value->find(';') == value->npos);
  GW_ASSERT(line.find("k=" + std::string(*value)) != line.npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view names[] = {"X-Forwarded-For", "Forwarded", "X-Forwarded-Proto", "Authorization", "X-Key"};
  static const gw::Networks trusted({*gw::Network::parse("10.0.0.0/8"), *gw::Network::parse("fd00::/8")});
  gw::Context c;
  std::string_view query;
  for (std::size_t i = 0; !rest.empty() && i < 8; ++i) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    check_address(line);
    if (!gw::is_field_value(line)) continue;
    check_cookie(line);
    if (i < std::size(names)) c.req.headers.borrow(names[i], line);
    else query = line;
  }
  const gw::proxy::ClaimedClient client = gw::proxy::claimed_client(c.req.headers, "10.0.0.1", trusted);
  GW_ASSERT(client.scheme == "http" || client.scheme == "https");

  if (std::all_of(query.begin(), query.end(), [](char byte) { return byte > 0x20 && byte < 0x7f && byte != '#'; }))
    c.req.borrow_target("/", "/", query, !query.empty(), {});
  const gw::Pipeline pipeline({stage()});
  const gw::Handler handler([](gw::Context&) { return 200; });
  GW_ASSERT(pipeline.run_now(c, handler));
  // Either a key was right, or the answer is a refusal; in both cases no field with a key is left.
  GW_ASSERT(c.consumer().empty() == c.failure().has_value());
  GW_ASSERT(!c.req.headers.has("X-Key"));
  return 0;
}
