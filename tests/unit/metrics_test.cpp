#include <doctest/doctest.h>

#include "support/fake_host.hpp"

#include <gw/metrics.hpp>

#include <string>
#include <string_view>

using namespace gw_test;

namespace {

/// A gateway whose metrics are the name of their format.
class NamedFormat : public FakeHost {
 public:
  std::string metrics(bool is_openmetrics) override { return is_openmetrics ? "openmetrics" : "prometheus"; }
};

}  // namespace

TEST_CASE("metrics: OpenMetrics is for those who prefer it") {
  const struct {
    std::string_view accept;
    bool is_openmetrics;
  } rows[] = {
      {"", false},
      {"*/*", false},
      {"text/plain", false},
      {"application/json", false},
      {"application/openmetrics-text", true},
      {"Application/OpenMetrics-Text; Version=1.0.0", true},
      {"application/openmetrics-text;version=\"1.0.0\"", true},
      {"application/openmetrics-text;version=0.0.1", false},
      {"application/openmetrics-text;version=2.0.0,text/plain", false},
      // What Prometheus sends.
      {"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
       true},
      {"application/openmetrics-text;q=0.5, text/plain;q=0.5", true},
      {"application/openmetrics-text;q=0.499, text/plain;q=0.5", false},
      {"application/openmetrics-text;q=0.4, */*", false},
      {"application/openmetrics-text;q=0.4, text/*;q=0.3", true},
      {"application/openmetrics-text;q=0", false},
      {"application/openmetrics-text;q=0.000", false},
      {"application/openmetrics-text;q=nonsense", false},
      {"application/openmetrics-text;q=", false},
      {"application/openmetrics-text ; q = 1 , text/plain ; q=0.9", true},
      {",,;q=1,=,", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.accept);
    gw::Headers headers;
    if (!row.accept.empty()) headers.borrow("accept", row.accept);
    CHECK(gw::detail::wants_openmetrics(headers) == row.is_openmetrics);
  }
  CHECK(gw::detail::wants_openmetrics({{"accept", "text/html"}, {"accept", "application/openmetrics-text"}}));
}

TEST_CASE("metrics: the handler asks the gateway and names the format") {
  const gw::Pipeline pipeline({});
  const gw::Handler handler = gw::metrics();
  NamedFormat host;
  for (const bool is_openmetrics : {false, true}) {
    gw::Context c;
    gw::detail::ContextAccess::begin(c, &host, 1, 1, "");
    if (is_openmetrics) c.req.headers.set("accept", "application/openmetrics-text");
    REQUIRE(pipeline.run_now(c, handler));
    CHECK(c.res.status == 200);
    CHECK(c.res.body.text() == (is_openmetrics ? "openmetrics" : "prometheus"));
    CHECK(c.res.headers["content-type"] ==
          (is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8"));
    CHECK(c.res.headers["vary"] == "Accept");
  }
  gw::Context alone;  // without a gateway there is nothing
  REQUIRE(pipeline.run_now(alone, handler));
  CHECK(alone.res.status == 200);
  CHECK(alone.res.body.text().empty());
}
