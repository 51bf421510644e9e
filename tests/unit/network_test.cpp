#include <gw/network.hpp>

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using gw::IpAddress, gw::Network, gw::Networks;

namespace {

std::string text(std::string_view address) {
  const auto parsed = IpAddress::parse(address);
  return parsed ? parsed->to_string() : "-";
}

IpAddress ip(std::string_view address) {
  const auto parsed = IpAddress::parse(address);
  REQUIRE_MESSAGE(parsed.has_value(), address);
  return *parsed;
}

Networks networks(const std::vector<std::string>& texts) {
  std::vector<Network> all;
  for (const std::string& t : texts) {
    const auto network = Network::parse(t);
    REQUIRE_MESSAGE(network.has_value(), t);
    all.push_back(*network);
  }
  return Networks(all);
}

}  // namespace

TEST_CASE("network: an address has one text, and IPv4 inside IPv6 is IPv4") {
  const struct {
    std::string text, expected;
  } cases[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"10.0.0.1", "10.0.0.1"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8:0:0:0:0:0:7", "2001:db8::7"},
      {"2001:0db8::0007", "2001:db8::7"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // a single zero is no gap
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // the first of two
      {"0:0:0:0:0:0:0:0", "::"},
      {"fe80:0:0:0:0:0:0:0", "fe80::"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
      {"::1.2.3.4", "::102:304"},
      {"::ffff:10.0.0.1", "10.0.0.1"},
      {"::FFFF:a00:1", "10.0.0.1"},
      {"0:0:0:0:0:ffff:10.0.0.1", "10.0.0.1"},
      {"::fffe:10.0.0.1", "::fffe:a00:1"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    CHECK(text(c.text) == c.expected);
    CHECK(ip(c.expected) == ip(c.text));
    CHECK(IpAddress::v6(ip(c.text).bytes()) == ip(c.text));
  }
  CHECK(IpAddress::v4(0x7f000001).to_string() == "127.0.0.1");
  CHECK(ip("::ffff:10.0.0.1") == IpAddress::v4(0x0a000001));
  CHECK(IpAddress().to_string() == "::");
}

TEST_CASE("network: what is nearly an address is none") {
  for (const std::string bad :
       {"", " ", "1", "1.2.3", "1.2.3.4.", ".1.2.3.4", "1.2.3.4.5", "1..2.3", "1.2.3.256", "1.2.3.1000", "01.2.3.4", "1.2.3.04", "1.2.3.4 ",
        " 1.2.3.4", "1.2.3.4\n", "+1.2.3.4", "0x7f.0.0.1", "127.1", "2130706433", "1.2.3.4:80", ":", ":::", "1:", ":1", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3",
        "::1.2.3.4:1", "::01.2.3.4", "1 ::", "[::1]", "fe80::1%eth0", "::ffff:256.0.0.1", "\xc3\xa9", "localhost", "1.2.3.4/8"}) {
    CAPTURE(bad);
    CHECK(text(bad) == "-");
  }
  CHECK(text(std::string("1.2.3.4\0", 8)) == "-");
  CHECK(text(std::string(100000, '1')) == "-");
  CHECK(text(std::string(100000, ':')) == "-");
}

TEST_CASE("network: every prefix of an address has its first bits and no others") {
  const IpAddress v4 = ip("255.255.255.255"), v6 = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
  CHECK(v4.prefix(0).to_string() == "0.0.0.0");
  CHECK(v4.prefix(1).to_string() == "128.0.0.0");
  CHECK(v4.prefix(24).to_string() == "255.255.255.0");
  CHECK(v4.prefix(32) == v4);
  CHECK(v6.prefix(0).to_string() == "::");
  CHECK(v6.prefix(1).to_string() == "8000::");
  CHECK(v6.prefix(64).to_string() == "ffff:ffff:ffff:ffff::");
  CHECK(v6.prefix(65).to_string() == "ffff:ffff:ffff:ffff:8000::");
  CHECK(v6.prefix(127) == v6);
  CHECK(v6.prefix(128) == v6);
  CHECK(ip("10.0.0.0").last_of(8).to_string() == "10.255.255.255");
  CHECK(ip("2001:db8::").last_of(32).to_string() == "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST_CASE("network: a network is an address and the length of its prefix, with nothing behind it") {
  const struct {
    std::string text, expected;
  } cases[] = {
      {"10.0.0.0/8", "10.0.0.0/8"},
      {"0.0.0.0/0", "0.0.0.0/0"},
      {"10.0.0.1", "10.0.0.1/32"},
      {"10.0.0.1/32", "10.0.0.1/32"},
      {"2001:db8::/32", "2001:db8::/32"},
      {"::/0", "::/0"},
      {"::1", "::1/128"},
      {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
      {"::ffff:10.0.0.1", "10.0.0.1/32"},
      {"", "\"\" is no network: write an IP address, or one with the length of a prefix, such as 10.0.0.0/8"},
      {"10.0.0.1/8", "\"10.0.0.1/8\" has bits behind its prefix: write 10.0.0.0/8"},
      {"2001:db8::1/64", "\"2001:db8::1/64\" has bits behind its prefix: write 2001:db8::/64"},
      {"::ffff:10.0.0.0/90", "-"},
      {"::ffff:10.0.0.0/8", "\"::ffff:10.0.0.0/8\" has bits behind its prefix: write 10.0.0.0/8"},
      {"10.0.0.0/33", "-"},
      {"::/129", "-"},
      {"10.0.0.0/", "-"},
      {"10.0.0.0/08", "-"},
      {"10.0.0.0/+8", "-"},
      {"10.0.0.0/8 ", "-"},
      {"10.0.0.0/8/8", "-"},
      {"10.0.0.0/255.0.0.0", "-"},
      {"10.0.0.0/4294967304", "-"},
      {"10/8", "-"},
      {"/8", "-"},
      {"localhost/8", "-"},
      {"*", "-"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    const auto network = Network::parse(c.text);
    const std::string mistake = gw::detail::network_mistake(c.text);
    CHECK(network.has_value() == mistake.empty());
    if (network) CHECK(network->to_string() == c.expected);
    else if (c.expected != "-") CHECK(mistake == c.expected);
  }
}

TEST_CASE("network: a set has what its networks have, the ends included") {
  const Networks set = networks({"10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "192.0.2.8/31", "2001:db8::/32", "fe80::/10", "10.0.0.0/8"});
  for (const char* in : {"10.0.0.0", "10.255.255.255", "10.1.2.3", "::ffff:10.1.2.3", "192.0.2.7", "192.0.2.8", "192.0.2.9", "2001:db8::",
                         "2001:db8:ffff::1", "febf::1"}) {
    CAPTURE(in);
    CHECK(set.contains(ip(in)));
  }
  for (const char* out : {"9.255.255.255", "11.0.0.0", "192.0.2.6", "192.0.2.10", "2001:db7:ffff::", "2001:db9::", "fec0::", "::", "::1",
                          "::a00:1", "0.0.0.0", "255.255.255.255"}) {
    CAPTURE(out);
    CHECK_FALSE(set.contains(ip(out)));
  }
  CHECK_FALSE(set.empty());
  CHECK(Networks().empty());
  CHECK_FALSE(Networks().contains(ip("10.0.0.1")));
}

TEST_CASE("network: IPv4 and IPv6 are worlds apart") {
  const Networks v6 = networks({"::/0"}), v4 = networks({"0.0.0.0/0"});
  CHECK(v6.contains(ip("::1")));
  CHECK(v6.contains(ip("ffff::")));
  CHECK_FALSE(v6.contains(ip("10.0.0.1")));
  CHECK_FALSE(v6.contains(ip("::ffff:10.0.0.1")));
  CHECK_FALSE(Network::parse("::/0")->contains(ip("::ffff:10.0.0.1")));
  CHECK(v4.contains(ip("::ffff:10.0.0.1")));
  CHECK(v4.contains(ip("255.255.255.255")));
  CHECK_FALSE(v4.contains(ip("::")));
}

TEST_CASE("network: a set of thousands says the same as its networks one by one") {
  std::mt19937 random(7);
  std::vector<Network> all;
  const auto any = [&](bool is_v4) {
    if (is_v4) return IpAddress::v4(static_cast<std::uint32_t>(random()) & 0x0fffffff);
    IpAddress::Bytes bytes{};
    for (std::size_t i = 0; i < 4; ++i) bytes[i == 0 ? 0 : i + 2] = static_cast<unsigned char>(random());
    return IpAddress::v6(bytes);
  };
  for (int i = 0; i < 4000; ++i) {
    const IpAddress base = any(i % 2 == 0);
    const unsigned length = i % 2 == 0 ? 16 + static_cast<unsigned>(random()) % 17 : 30 + static_cast<unsigned>(random()) % 30;
    all.push_back(*Network::parse(base.prefix(length).to_string() + '/' + std::to_string(length)));
  }
  const Networks set(all);
  int found = 0;
  for (int i = 0; i < 2000; ++i) {
    const IpAddress address = i % 3 == 0 ? all[random() % all.size()].last() : any(i % 2 == 0);
    const bool expected = std::any_of(all.begin(), all.end(), [&](const Network& n) { return n.contains(address); });
    found += expected;
    CHECK(set.contains(address) == expected);
  }
  CHECK(found > 100);
  CHECK(found < 1900);
}
