#include <doctest/doctest.h>

#include <gw/middleware/ip_filter.hpp>

#include <string>
#include <vector>

namespace {

int status_for(const gw::Pipeline& pipeline, std::string_view peer) {
  gw::Context c;
  gw::detail::ContextAccess::begin(c, nullptr, 1, 1, peer);
  CHECK(pipeline.run_now(c, gw::Handler([](gw::Context&) { return 200; })));
  CHECK(c.failure().has_value() == (c.res.status == 403));
  if (c.failure()) CHECK((c.failure()->code == gw::Error::forbidden && c.failure()->origin == gw::Origin::client));
  return c.res.status;
}

std::string problems(const gw::IpFilterOptions& options) {
  try {
    gw::ip_filter(options);
    return "";
  } catch (const gw::ConfigError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("ip_filter: deny wins over allow, and with allow the others are refused") {
  const struct {
    const char* what;
    gw::IpFilterOptions options;
    std::vector<std::string> passes, refused;
  } cases[] = {
      {"allow alone", {.allow = {"10.0.0.0/8", "::1"}}, {"10.0.0.0", "10.255.255.255", "::1", "::ffff:10.1.1.1"}, {"11.0.0.0", "::2", "192.0.2.7"}},
      {"deny alone", {.deny = {"10.0.0.0/8"}}, {"11.0.0.0", "::1", "::a00:1"}, {"10.0.0.1", "::ffff:10.0.0.1"}},
      {"both", {.allow = {"10.0.0.0/8"}, .deny = {"10.1.0.0/16"}}, {"10.0.0.1", "10.2.0.1"}, {"10.1.0.1", "11.0.0.1"}},
      {"a narrower allow does not win", {.allow = {"10.1.2.3"}, .deny = {"10.0.0.0/8"}}, {}, {"10.1.2.3", "10.0.0.1", "11.0.0.1"}},
      {"everybody of a family", {.allow = {"0.0.0.0/0"}}, {"10.0.0.1", "::ffff:10.0.0.1"}, {"::1", "2001:db8::1"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const gw::Pipeline pipeline({gw::ip_filter(c.options)});
    CHECK(pipeline.stages()[0].name() == "ip_filter");
    for (const std::string& peer : c.passes) {
      CAPTURE(peer);
      CHECK(status_for(pipeline, peer) == 200);
    }
    for (const std::string& peer : c.refused) {
      CAPTURE(peer);
      CHECK(status_for(pipeline, peer) == 403);
    }
    // What the process itself sends has no address.
    CHECK(status_for(pipeline, "") == 200);
  }
}

TEST_CASE("ip_filter: it looks at the client and not at what anybody says about it") {
  const gw::Pipeline pipeline({gw::ip_filter({.allow = {"10.0.0.0/8"}})});
  const auto ask = [&](bool is_trusted) {
    gw::Context c;
    gw::detail::ContextAccess::begin(c, nullptr, 1, 1, "10.0.0.1");
    c.req.headers.add("x-forwarded-for", "192.0.2.7");
    c.req.headers.add("x-real-ip", "192.0.2.7");
    if (is_trusted) gw::detail::ContextAccess::set_client(c, *gw::IpAddress::parse("192.0.2.7"), "http");
    CHECK(pipeline.run_now(c, gw::Handler([](gw::Context&) { return 200; })));
    return c.res.status;
  };
  CHECK(ask(false) == 200);
  CHECK(ask(true) == 403);
}

TEST_CASE("ip_filter: every text that is no network is a problem") {
  CHECK(problems({}) == "ip_filter has nobody to allow or deny");
  CHECK(problems({.allow = {"10.0.0.0/8", "10.0.0.1/8"}, .deny = {"", "caf\xc3\xa9", "localhost"}}) ==
        "allow[1]: \"10.0.0.1/8\" has bits behind its prefix: write 10.0.0.0/8\n"
        "deny[0]: \"\" is no network: write an IP address, or one with the length of a prefix, such as 10.0.0.0/8\n"
        "deny[1]: \"caf\xc3\xa9\" is no network: write an IP address, or one with the length of a prefix, such as 10.0.0.0/8\n"
        "deny[2]: \"localhost\" is no network: write an IP address, or one with the length of a prefix, such as 10.0.0.0/8");
}
