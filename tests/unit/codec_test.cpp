#include <doctest/doctest.h>

#include "wire/transcript.hpp"

#include <fstream>
#include <functional>
#include <sstream>
#include <vector>

namespace {

using gw::Method;

constexpr std::size_t whole = static_cast<std::size_t>(-1);
constexpr std::size_t fragments[] = {1, 2, 3, 4, 5, 6, 7, 8, 16, 31, whole};

struct WireCase {
  std::string name;
  std::string bytes;
  std::string expected;
  gw::Limits limits;
  Method method = Method::get;
  bool closes = false;
};

void read_option(WireCase& wire_case, const std::string& option) {
  const std::size_t mark = option.find('=');
  const std::string name = option.substr(0, mark);
  const std::string value = mark == option.npos ? "" : option.substr(mark + 1);
  if (name == "closes") wire_case.closes = true;
  else if (name == "to") wire_case.method = gw::parse_method(value).value();
  else if (name == "head") wire_case.limits.head = std::stoul(value);
  else if (name == "fields") wire_case.limits.fields = std::stoul(value);
  else if (name == "target") wire_case.limits.target = std::stoul(value);
  else if (name == "trailers") wire_case.limits.trailers = std::stoul(value);
  else if (name == "body") wire_case.limits.body = std::stoull(value);
  else FAIL("unknown option ", option);
}

/// The cases of tests/wire/`file`; the format is in tests/wire/README.md.
std::vector<WireCase> read_cases(const std::string& file) {
  std::ifstream stream(GW_SOURCE_DIR "/tests/wire/" + file);
  std::vector<WireCase> cases;
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.find(' ');
    const std::string word = line.substr(0, space);
    const std::string rest = line.substr(space + 1);
    if (word == "case") {
      cases.emplace_back().name = rest;
      continue;
    }
    REQUIRE(!cases.empty());
    WireCase& last = cases.back();
    if (word == "in") last.bytes += wire::unescape(rest);
    else if (word == "out") last.expected += rest + '\n';
    else if (word == "options") {
      std::istringstream options(rest);
      for (std::string option; options >> option;) read_option(last, option);
    } else FAIL("unknown word ", word);
  }
  return cases;
}

/// Replays every case of `file` with `read(case, fragment)`.
void replay(const std::string& file, const std::function<std::string(const WireCase&, std::size_t)>& read) {
  const std::vector<WireCase> cases = read_cases(file);
  CHECK(cases.size() > 30);
  for (const WireCase& wire_case : cases) {
    const std::string at_once = read(wire_case, whole);
    const bool has_fields = wire_case.expected.find("field ") != std::string::npos;
    INFO(wire_case.name);
    CHECK((has_fields ? at_once : wire::without_fields(at_once)) == wire_case.expected);
    for (const std::size_t fragment : fragments) {
      INFO("fragments of ", fragment);
      CHECK(read(wire_case, fragment) == at_once);
    }
  }
}

}  // namespace

TEST_CASE("codec: heads of requests are read as the wire tables say, in any fragments") {
  replay("requests.txt", [](const WireCase& c, std::size_t fragment) { return wire::read_requests(c.bytes, fragment, c.limits); });
}

TEST_CASE("codec: bodies of requests are read as the wire tables say, in any fragments") {
  replay("request_bodies.txt", [](const WireCase& c, std::size_t fragment) { return wire::read_requests(c.bytes, fragment, c.limits); });
}

TEST_CASE("codec: responses are read as the wire tables say, in any fragments") {
  replay("responses.txt", [](const WireCase& c, std::size_t fragment) {
    return wire::read_responses(c.bytes, fragment, c.method, c.closes, c.limits);
  });
}

TEST_CASE("codec: a bad byte or a limit is reported with the byte that shows it, not at the end of the head") {
  struct Row {
    std::string before;  // needs more
    char last;
    gw::Error error;
  };
  const Row rows[] = {
      {"G", '@', gw::Error::bad_request_line},
      {std::string(32, 'A'), 'A', gw::Error::unknown_method},
      {"GET /", '\x01', gw::Error::bad_target},
      {"GET /" + std::string(8191, 'a'), 'a', gw::Error::target_too_long},
      {"GET / HTTP/1", ',', gw::Error::bad_request_line},
      {"GET / HTTP/1.", '2', gw::Error::unsupported_version},
      {"GET / HTTP/1.1", '\n', gw::Error::bad_line_end},
      {"GET / HTTP/1.1\r\nHost", ' ', gw::Error::bad_field},
      {"GET / HTTP/1.1\r\nHost: a", '\0', gw::Error::bad_field},
      {"GET / HTTP/1.1\r\nHost: a\r\n", ' ', gw::Error::bad_field},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r", 'x', gw::Error::bad_line_end},
      {"GET / HTTP/1.1\r\nX: " + std::string(16384 - 20, 'a'), 'a', gw::Error::head_too_large},
  };
  for (const Row& row : rows) {
    gw::h1::RequestCodec codec(gw::Limits{});
    gw::Request request;
    INFO(wire::escape(row.before.substr(0, 60)));
    const auto before = codec.head(row.before, request);
    REQUIRE(before);
    CHECK(*before == 0);
    for (int again = 0; again < 2; ++again) {
      const auto after = codec.head(row.before + row.last, request);
      REQUIRE(!after);
      CHECK(after.error().code == row.error);
      CHECK(after.error().origin == gw::Origin::client);
    }
  }
}

TEST_CASE("codec: every byte is allowed or refused at every place of a value, whole and in pieces") {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    // CR and LF end the line, which makes another message of it: the wire tables have them.
    if (c == '\r' || c == '\n') continue;
    for (std::size_t place = 0; place <= 20; ++place) {
      std::string value(21, 'v');
      value[place] = c;
      const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nx-a: " + value + "\r\n\r\n";
      const std::string at_once = wire::read_requests(bytes, whole, {});
      INFO("byte ", byte, " at ", place);
      const bool is_allowed = c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
      CHECK((at_once.find("bad_field") == std::string::npos) == is_allowed);
      CHECK(wire::read_requests(bytes, 1, {}) == at_once);
      CHECK(wire::read_requests(bytes, 31, {}) == at_once);
    }
  }
}

TEST_CASE("codec: the views of a request point into the bytes of the last call") {
  const std::string early = "GET /a?b HTTP/1.1\r\nHost: a\r\n";
  const std::string all = early + "\r\n";
  gw::h1::RequestCodec codec(gw::Limits{});
  gw::Request request;
  REQUIRE(*codec.head(early, request) == 0);
  REQUIRE(*codec.head(all, request) == all.size());
  const auto is_inside = [&](std::string_view view) {
    return view.data() >= all.data() && view.data() + view.size() <= all.data() + all.size();
  };
  CHECK(is_inside(request.target()));
  CHECK(is_inside(request.path()));
  CHECK(is_inside(request.query()));
  CHECK(is_inside(request.authority()));
  CHECK(is_inside(request.headers["host"]));
}

TEST_CASE("codec: a request that is read again forgets everything of the one before") {
  gw::h1::RequestCodec codec(gw::Limits{});
  gw::Request request;
  const std::string full =
      "POST http://a?b HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: x\r\nExpect: 100-continue\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  REQUIRE(*codec.head(full, request) == full.size());
  const auto piece = codec.body("0\r\nX: y\r\n\r\n");
  REQUIRE(piece);
  CHECK(piece->ended);
  CHECK(codec.trailers().size() == 1);
  codec.reset();
  const std::string bare = "GET / HTTP/1.1\r\nHost: b\r\n\r\n";
  REQUIRE(*codec.head(bare, request) == bare.size());
  CHECK(codec.framing() == gw::h1::Framing::none);
  CHECK(codec.keep_alive());
  CHECK(!codec.expects_continue());
  CHECK(!codec.wants_upgrade());
  CHECK(codec.trailers().empty());
  CHECK(request.authority() == "b");
  CHECK(request.target() == "/");
  CHECK(!request.has_query());
  CHECK(request.headers.size() == 1);
}

TEST_CASE("codec: an error of a codec is gone after reset") {
  gw::h1::RequestCodec codec(gw::Limits{});
  gw::Request request;
  CHECK(!codec.head("\n", request));
  codec.reset();
  CHECK(codec.head("GET / HTTP/1.1\r\nHost: a\r\n\r\n", request));

  gw::h1::RequestCodec body(gw::Limits{});
  REQUIRE(body.head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
  CHECK(!body.body("x"));
  CHECK(!body.body("0\r\n\r\n"));
  body.reset();
  REQUIRE(body.head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
  CHECK(body.body("0\r\n\r\n"));
}

TEST_CASE("codec: the framing behind a piece of content is read with it") {
  gw::h1::RequestCodec codec(gw::Limits{});
  gw::Request request;
  REQUIRE(codec.head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
  const auto piece = codec.body("5\r\nhello\r\n0\r\n\r\nGET");
  REQUIRE(piece);
  CHECK(piece->content == "hello");
  CHECK(piece->ended);
  CHECK(piece->consumed == 15);
}

TEST_CASE("codec: content before an error is delivered first") {
  gw::h1::RequestCodec codec(gw::Limits{});
  gw::Request request;
  REQUIRE(codec.head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
  const std::string_view bytes = "5\r\nhelloX";
  const auto piece = codec.body(bytes);
  REQUIRE(piece);
  CHECK(piece->content == "hello");
  CHECK(!piece->ended);
  CHECK(!codec.body(bytes.substr(piece->consumed)));
}

TEST_CASE("codec: all extensions of a body together are bounded, by as many bytes as it has content and some more") {
  const struct {
    std::string body;
    bool is_accepted;
  } rows[] = {
      // From the semicolon to the end of the line.
      {"0;" + std::string(9, 'a') + "\r\n\r\n", true},
      {"0;" + std::string(10, 'a') + "\r\n\r\n", false},
      {"1;a=1\r\nx\r\n1;a=1\r\nx\r\n1;a\r\nx\r\n0\r\n\r\n", true},
      {"1;a=1\r\nx\r\n1;a=1\r\nx\r\n1;a=1\r\nx\r\n1;a=1\r\nx\r\n0\r\n\r\n", false},
      {"4;a=1\r\nxxxx\r\n4;a=1\r\nxxxx\r\n4;a=1\r\nxxxx\r\n4;a=1\r\nxxxx\r\n0\r\n\r\n", true},
      {"1\r\nx\r\n1\r\nx\r\n0;" + std::string(11, 'a') + "\r\n\r\n", true},
      {"1\r\nx\r\n1\r\nx\r\n0;" + std::string(12, 'a') + "\r\n\r\n", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.body);
    gw::Limits limits;
    limits.chunk_extensions = 10;
    gw::h1::RequestCodec codec(limits);
    gw::Request request;
    REQUIRE(codec.head("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
    std::string_view rest = row.body;
    std::optional<std::error_code> failed;
    for (bool has_ended = false; !has_ended && !failed;) {
      const auto piece = codec.body(rest);
      if (!piece) failed = piece.error().code;
      else rest.remove_prefix(piece->consumed), has_ended = piece->ended;
    }
    CHECK(!failed == row.is_accepted);
    if (failed) CHECK(*failed == gw::Error::chunk_extensions_too_large);
  }
}

TEST_CASE("codec: an upstream that closes before a head is complete has reset") {
  gw::h1::ResponseCodec codec(gw::Limits{});
  gw::Response response;
  codec.reset(Method::get);
  CHECK(codec.end_of_input().error().code == gw::Error::upstream_reset);
  REQUIRE(*codec.head("HTTP/1.1 200 OK\r\n", response) == 0);
  const auto ended = codec.end_of_input();
  REQUIRE(!ended);
  CHECK(ended.error().code == gw::Error::upstream_reset);
  CHECK(ended.error().origin == gw::Origin::upstream);
}

TEST_CASE("codec: append_chunk_head writes lower case hexadecimal without leading zeros") {
  struct Row {
    std::uint64_t size;
    const char* text;
  };
  for (const Row row : {Row{0, "0\r\n"}, Row{15, "f\r\n"}, Row{26, "1a\r\n"}, Row{~std::uint64_t{0}, "ffffffffffffffff\r\n"}}) {
    std::string out = "x";
    gw::h1::append_chunk_head(out, row.size);
    CHECK(out == std::string("x") + row.text);
  }
}
