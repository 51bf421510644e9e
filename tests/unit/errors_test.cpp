#include <doctest/doctest.h>

#include <gw/error.hpp>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int last = static_cast<int>(gw::Error::tunnel_timeout);

struct Row {
  std::string name;
  int status;
  std::string message;
};

/// The rows "| `name` | status | message |" of docs/errors.md.
std::vector<Row> documented_rows() {
  std::ifstream stream(GW_SOURCE_DIR "/docs/errors.md");
  std::vector<Row> rows;
  for (std::string line; std::getline(stream, line);) {
    if (line.compare(0, 3, "| `") != 0) continue;
    const std::size_t name_end = line.find("` | ", 3);
    const std::size_t status = name_end + 4;
    const std::size_t message = line.find(" | ", status) + 3;
    REQUIRE(line.size() > message + 2);
    rows.push_back({line.substr(3, name_end - 3), std::stoi(line.substr(status)), line.substr(message, line.size() - message - 2)});
  }
  return rows;
}

}  // namespace

TEST_CASE("errors: docs/errors.md has the same rows as the code, in the same order") {
  const std::vector<Row> rows = documented_rows();
  REQUIRE(rows.size() == last + 1);
  for (int value = 1; value <= last; ++value) {
    const std::error_code code = gw::Error{value};
    const Row& row = rows[static_cast<std::size_t>(value - 1)];
    CHECK(row.name == gw::name_of(code));
    CHECK(row.status == gw::status_of(code));
    CHECK(row.message == gw::message_of(code));
    CHECK(row.message == code.message());
  }
  CHECK(rows.back().name == "system");
  const std::error_code foreign = std::make_error_code(std::errc::connection_refused);
  CHECK(rows.back().status == gw::status_of(foreign));
  CHECK(rows.back().message == gw::message_of(foreign));
}

TEST_CASE("errors: each has a name of its own and a status that is an error") {
  std::set<std::string_view> names;
  for (int value = 1; value <= last; ++value) {
    const std::error_code code = gw::Error{value};
    CHECK(names.insert(gw::name_of(code)).second);
    CHECK(gw::status_of(code) >= 400);
    CHECK(gw::status_of(code) <= 599);
  }
}

TEST_CASE("errors: an unknown route is answered as in the article") {
  CHECK(gw::message_of(gw::Error::no_route) == "no Route matched with those values");
  CHECK(gw::status_of(gw::Error::no_route) == 404);
}

TEST_CASE("errors: a code of another category, or no code of gw, is a bad gateway") {
  for (const std::error_code& code : {std::make_error_code(std::errc::timed_out), std::error_code(7, std::generic_category()),
                                      std::error_code(0, gw::gw_category()), std::error_code(last + 1, gw::gw_category()),
                                      std::error_code(-1, gw::gw_category()), std::error_code()}) {
    CHECK(gw::status_of(code) == 502);
    CHECK(gw::name_of(code) == "system");
    CHECK(!gw::message_of(code).empty());
  }
  CHECK(std::string(gw::gw_category().name()) == "gw");
}

TEST_CASE("errors: a Result is a value or a failure") {
  gw::Result<std::string> value = std::string("x");
  CHECK(value);
  CHECK(*value == "x");
  CHECK(value->size() == 1);
  const gw::Result<std::string> failure = gw::Failure(gw::Error::no_route, gw::Origin::client, gw::Retry::fresh);
  CHECK(!failure.has_value());
  CHECK(failure.error().code == gw::Error::no_route);
  CHECK(failure.error().origin == gw::Origin::client);
  CHECK(failure.error().retry == gw::Retry::fresh);
  CHECK(gw::Result<>().has_value());
  CHECK(!gw::Result<>(gw::Error::no_route).has_value());
}

TEST_CASE("errors: a problem is one line that names its place, and ConfigError has one line per problem") {
  const gw::Problem placed{{"gw.yaml", 12, 5, "routes[2].forward"}, "no upstream is named \"baz\""};
  CHECK(placed.text() == "gw.yaml:12:5: routes[2].forward: no upstream is named \"baz\"");
  CHECK(gw::Problem{{"gw.yaml", 0, 0, ""}, "empty"}.text() == "gw.yaml: empty");
  CHECK(gw::Problem{{"", 0, 0, "workers"}, "must not change"}.text() == "workers: must not change");
  CHECK(gw::Problem{{}, "what"}.text() == "what");
  const gw::ConfigError error({placed, gw::Problem{{}, "what"}});
  CHECK(std::string(error.what()) == placed.text() + "\nwhat");
  CHECK(error.problems().size() == 2);
}
