#include <doctest/doctest.h>

#include "wire/transcript.hpp"

#include <fstream>
#include <set>
#include <vector>

// The table of docs/http1.md is the list of framing rules; here each of its examples is sent.

namespace {

constexpr std::size_t whole = static_cast<std::size_t>(-1);
const std::string chunked_request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string chunked_response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Rule {
  std::string where;
  std::string text;
  std::string section;
  std::string refused;
  std::string accepted;
  std::string error;
};

/// A message with an example in it; `error` is what a broken one gives.
struct Message {
  bool is_request;
  std::string bytes;
  std::string error;
};

std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> found;
  for (line.remove_prefix(2); !line.empty();) {
    const std::size_t end = std::min(line.find(" |"), line.size());
    std::string_view cell = line.substr(0, end);
    if (cell.size() > 1 && cell.front() == '`') cell = cell.substr(1, cell.size() - 2);
    found.emplace_back(cell);
    line.remove_prefix(std::min(end + 3, line.size()));
  }
  return found;
}

std::vector<Rule> documented_rules() {
  std::ifstream stream(GW_SOURCE_DIR "/docs/http1.md");
  std::vector<Rule> rules;
  bool is_in_table = false;
  for (std::string line; std::getline(stream, line);) {
    if (line.compare(0, 2, "| ") != 0) {
      is_in_table = is_in_table && line.compare(0, 2, "|-") == 0;
    } else if (line == "| where | rule | section | refused | accepted | error |") {
      is_in_table = true;
    } else if (is_in_table) {
      const std::vector<std::string> c = cells(line);
      INFO(line);
      REQUIRE(c.size() == 6);
      rules.push_back({c[0], c[1], c[2], wire::unescape(c[3]), wire::unescape(c[4]), c[5]});
    }
  }
  return rules;
}

/// Takes a first line away that says what is in the start line: "HEAD", "103", "HTTP/1.0".
std::string take_first_line(std::string& example) {
  const std::size_t end = example.find("\r\n");
  const std::string line = example.substr(0, end);
  if (end == example.npos || line.find(':') != line.npos || line.find_first_of(" \r\n") != line.npos) return "";
  example.erase(0, end + 2);
  return line;
}

std::string request_with(std::string fields, bool has_host) {
  std::string method = "POST", version = "HTTP/1.1";
  const std::string first = take_first_line(fields);
  if (first.find('/') != first.npos) version = first;
  else if (!first.empty()) method = first;
  return method + " / " + version + (has_host ? "\r\nHost: a\r\n" : "\r\n") + fields + "\r\n\r\n";
}

std::string response_with(std::string fields) {
  std::string status = "200", version = "HTTP/1.1";
  const std::string first = take_first_line(fields);
  if (first.find('/') != first.npos) version = first;
  else if (!first.empty()) status = first;
  return version + " " + status + " OK\r\n" + fields + "\r\n\r\n";
}

/// The messages that an example of `rule` makes.
std::vector<Message> messages(const Rule& rule, const std::string& example) {
  const std::string& w = rule.where;
  if (w == "request line") return {{true, example + "\r\nHost: a\r\n\r\n", rule.error}};
  if (w == "status line") return {{false, example + "\r\nContent-Length: 0\r\n\r\n", rule.error}};
  if (w == "request field") return {{true, request_with(example, false), rule.error}};
  if (w == "response field") return {{false, response_with(example), rule.error}};
  std::vector<Message> all;
  if (w == "field" || w == "message field") {
    all = {{true, request_with(example, true), rule.error}, {false, response_with(example), "bad_response"}};
  }
  if (w == "chunked") all = {{true, chunked_request + example, rule.error}, {false, chunked_response + example, "bad_response"}};
  const std::string trailers = "0\r\n" + example + "\r\n\r\n";
  if (w == "field" || w == "trailers" || w == "request trailers") all.push_back({true, chunked_request + trailers, "bad_trailer"});
  if (w == "field" || w == "trailers") all.push_back({false, chunked_response + trailers, "bad_response"});
  return all;
}

/// The error of a message in fragments; "" if there is none, "nothing" if it was not even begun.
std::string error_of(const Message& m, std::size_t fragment) {
  const std::string transcript =
      m.is_request ? wire::read_requests(m.bytes, fragment) : wire::read_responses(m.bytes, fragment, gw::Method::get, false);
  const std::size_t at = transcript.find("error ");
  if (at != transcript.npos) return transcript.substr(at + 6, transcript.size() - at - 7);
  return transcript.find(m.is_request ? "request " : "response ") == 0 ? "" : "nothing";
}

}  // namespace

TEST_CASE("framing rules: what docs/http1.md says is refused is refused with that error, and what it says is accepted is accepted") {
  const std::vector<Rule> rules = documented_rules();
  CHECK(rules.size() > 60);
  for (const Rule& rule : rules) {
    INFO(rule.where, ": ", rule.text);
    CHECK(!rule.section.empty());
    const std::vector<Message> refused = messages(rule, rule.refused), accepted = messages(rule, rule.accepted);
    REQUIRE(!refused.empty());
    for (const Message& m : refused) {
      INFO(wire::escape(m.bytes));
      for (std::size_t fragment = 1; fragment < m.bytes.size(); ++fragment) CHECK(error_of(m, fragment) == m.error);
      CHECK(error_of(m, whole) == m.error);
    }
    for (const Message& m : accepted) {
      INFO(wire::escape(m.bytes));
      CHECK(error_of(m, whole) == "");
      CHECK(error_of(m, 1) == "");
    }
  }
}

TEST_CASE("framing rules: docs/http1.md names every error that a message can have for its form") {
  std::set<std::string> documented;
  for (const Rule& rule : documented_rules()) documented.insert(rule.error);
  // Not of form: limits, and what routing says. `malformed_request` is for a second opinion that differs, which no known message has.
  const std::set<gw::Error> others = {gw::Error::malformed_request, gw::Error::bad_path, gw::Error::unsupported_websocket, gw::Error::head_too_large,
                                      gw::Error::too_many_fields, gw::Error::trailers_too_large, gw::Error::chunk_extensions_too_large,
                                      gw::Error::target_too_long, gw::Error::body_too_large};
  for (int value = 1; value < static_cast<int>(gw::Error::client_timeout); ++value) {
    const gw::Error e{value};
    INFO(gw::name_of(e));
    CHECK(documented.count(std::string(gw::name_of(e))) + others.count(e) == 1);
  }
}
