#include <doctest/doctest.h>

#include "net/dns_reply.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using gw::net::read_reply, gw::net::Records, gw::net::RecordType;
using namespace std::string_literals;

namespace {

/// The name at the question, and its "internal".
const std::string it = "\xC0\x0C"s, internal = "\xC0\x12"s;

std::string number(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

std::string record(const std::string& owner, unsigned type, std::uint32_t ttl, const std::string& data, unsigned record_class = 1) {
  const std::string time = number(ttl >> 16) + number(ttl & 0xFFFF);
  return owner + number(type) + number(record_class) + time + number(static_cast<unsigned>(data.size())) + data;
}

/// A reply about "users.internal" with these answers.
std::string reply(unsigned type, const std::vector<std::string>& answers) {
  std::string text = "id"s + number(0x8180) + number(1) + number(static_cast<unsigned>(answers.size())) + number(0) + number(0);
  text += "\5users\10internal\0"s + number(type) + number(1);
  for (const std::string& a : answers) text += a;
  return text;
}

std::optional<Records> read(std::string_view bytes, RecordType type) {
  return read_reply({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, type);
}

std::string text_of(const std::optional<Records>& records) {
  if (!records) return "malformed";
  std::string text;
  for (const auto& a : records->addresses) text += a.to_string() + ' ';
  for (const auto& s : records->services)
    text += std::to_string(s.priority) + '/' + std::to_string(s.weight) + '/' + s.target + ':' + std::to_string(s.port) + ' ';
  return text.empty() ? "none" : text + "for " + std::to_string(records->ttl);
}

const std::string one = "\xC0\x00\x02\x01"s, two = "\xC0\x00\x02\x02"s;
const std::string six = "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1"s;

}  // namespace

TEST_CASE("dns_reply: records of the type asked for, and the smallest time to live") {
  const struct {
    const char* what;
    unsigned type;
    std::vector<std::string> answers;
    const char* expected;
  } cases[] = {
      {"no answer", 1, {}, "none"},
      {"one", 1, {record(it, 1, 60, one)}, "192.0.2.1 for 60"},
      {"two", 1, {record(it, 1, 60, one), record(it, 1, 5, two)}, "192.0.2.1 192.0.2.2 for 5"},
      {"the name in full, in other letters", 1, {record("\5USERS\10Internal\0"s, 1, 60, one)}, "192.0.2.1 for 60"},
      {"IPv6", 28, {record(it, 28, 60, six)}, "2001:db8::1 for 60"},
      {"through a CNAME, whose time counts", 1,
       {record(it, 5, 7, "\1x" + internal), record("\1x" + internal, 1, 60, one)},
       "192.0.2.1 for 7"},
      {"through two", 1,
       {record(it, 5, 70, "\1x" + internal), record("\1x" + internal, 5, 80, "\1y\0"s), record("\1y\0"s, 1, 60, one)},
       "192.0.2.1 for 60"},
      {"a CNAME alone", 1, {record(it, 5, 7, "\1x" + internal)}, "none"},
      {"records of another name", 1, {record("\1x" + internal, 1, 5, two), record(it, 1, 60, one)}, "192.0.2.1 for 60"},
      {"records of another type", 1, {record(it, 28, 5, six), record(it, 16, 5, "text"), record(it, 1, 60, one)}, "192.0.2.1 for 60"},
      {"records of another class", 1, {record(it, 1, 5, two, 3), record(it, 1, 60, one)}, "192.0.2.1 for 60"},
      {"a time with its highest bit is none (RFC 2181 8)", 1, {record(it, 1, 0x80000000, one)}, "192.0.2.1 for 0"},
      {"services", 33,
       {record(it, 33, 60, number(1) + number(2) + number(8080) + "\1a" + internal),
        record(it, 33, 60, number(3) + number(0) + number(81) + "\1b\0"s)},
       "1/2/a.internal:8080 3/0/b:81 for 60"},
      {"no such service", 33, {record(it, 33, 60, number(0) + number(0) + number(0) + "\0"s)}, "0/0/.:0 for 60"},
      // Malformed.
      {"an address of five bytes", 1, {record(it, 1, 60, one + "x")}, "malformed"},
      {"an address of three bytes", 1, {record(it, 1, 60, one.substr(1))}, "malformed"},
      {"an IPv6 address of four bytes", 28, {record(it, 28, 60, one)}, "malformed"},
      {"a service without a target", 33, {record(it, 33, 60, number(0) + number(0) + number(0))}, "malformed"},
      {"a service with more behind its target", 33, {record(it, 33, 60, number(0) + number(0) + number(0) + "\1a\0x"s)}, "malformed"},
      {"a CNAME with more behind its name", 1, {record(it, 5, 60, "\1a\0x"s)}, "malformed"},
      {"a pointer to itself", 1, {record("\xC0\x20"s, 1, 60, one)}, "malformed"},
      {"a pointer forwards", 1, {record("\xC0\x30"s, 1, 60, one)}, "malformed"},
      {"a pointer behind the end", 1, {record("\xFF\xFF"s, 1, 60, one)}, "malformed"},
      {"pointers in a circle", 1, {record("\1a\xC0\x20"s, 1, 60, one)}, "malformed"},
      {"a label of a kind that is not", 1, {record("\x40\0"s, 1, 60, one)}, "malformed"},
      {"a dot in a label", 33, {record(it, 33, 60, number(0) + number(0) + number(0) + "\3a.b\0"s)}, "malformed"},
      {"a backslash in a label", 33, {record(it, 33, 60, number(0) + number(0) + number(0) + "\2a\\\0"s)}, "malformed"},
      {"a NUL in a label", 33, {record(it, 33, 60, number(0) + number(0) + number(0) + "\2a\0\0"s)}, "malformed"},
      {"a name that is too long", 33,
       {record(it, 33, 60, number(0) + number(0) + number(0) + [] {
                 std::string name;
                 for (int i = 0; i < 128; ++i) name += "\1a";
                 return name + '\0';
               }())},
       "malformed"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(text_of(read(reply(c.type, c.answers), static_cast<RecordType>(c.type))) == c.expected);
  }
}

TEST_CASE("dns_reply: a reply about no name, or two, is malformed") {
  std::string text = reply(1, {record(it, 1, 60, one)});
  for (const char questions : {'\0', '\2'}) {
    text[5] = questions;
    CHECK(text_of(read(text, RecordType::a)) == "malformed");
  }
}

TEST_CASE("dns_reply: a reply that ends anywhere before its end is malformed") {
  const struct {
    RecordType type;
    std::string text;
  } cases[] = {
      {RecordType::a, reply(1, {record(it, 5, 7, "\1x" + internal), record("\1x" + internal, 1, 60, one)})},
      {RecordType::aaaa, reply(28, {record(it, 28, 60, six)})},
      {RecordType::srv, reply(33, {record(it, 33, 60, number(1) + number(2) + number(8080) + "\1a" + internal)})},
  };
  for (const auto& c : cases) {
    CHECK(text_of(read(c.text, c.type)) != "malformed");
    for (std::size_t size = 0; size < c.text.size(); ++size) {
      CAPTURE(size);
      // In memory of its own, so that a sanitizer sees the end.
      const std::vector<std::uint8_t> bytes(c.text.begin(), c.text.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK_FALSE(read_reply(bytes, c.type));
    }
  }
}

TEST_CASE("dns_reply: bytes may be anything") {
  const std::string text = reply(33, {record(it, 5, 7, "\1x" + internal),
                                      record("\1x" + internal, 33, 60, number(1) + number(2) + number(8080) + "\1a" + internal)});
  std::mt19937 random(1);
  for (int round = 0; round < 100000; ++round) {
    std::vector<std::uint8_t> bytes(text.begin(), text.end());
    for (unsigned i = 0; i <= random() % 4; ++i) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    bytes.resize(bytes.size() - random() % 8);
    const auto records = read_reply(bytes, RecordType::srv);
    REQUIRE((!records || records->services.size() <= 2));
  }
}
