#include <doctest/doctest.h>

#include "proxy/metrics_text.hpp"

#include <gw/version.hpp>

#include <chrono>
#include <string>
#include <string_view>

using namespace gw::proxy;
using namespace std::chrono_literals;
using Format = Exposition::Format;
using Type = Exposition::Type;

namespace {

bool has(const std::string& text, std::string_view lines) { return text.find(lines) != text.npos; }

/// A label value as it is written.
std::string written(std::string_view value) {
  Exposition out(Format::prometheus);
  out.family("f", Type::gauge, "h");
  out.sample({{"l", value}}, std::uint64_t{1});
  std::string text = out.take();
  const std::size_t begin = text.find("l=\"") + 3;
  return text.substr(begin, text.rfind('"') - begin);
}

}  // namespace

TEST_CASE("metrics: each format names families in its own way") {
  const auto write = [](Format format) {
    Exposition out(format);
    out.family("a_total", Type::counter, "Counts.");
    out.sample({{"x", "1"}, {"y", ""}}, std::uint64_t{18446744073709551615u});
    out.family("b_info", Type::info, "Says.");
    out.sample({{"version", "0"}}, std::uint64_t{1});
    out.family("c", Type::gauge, "Is.");
    out.sample({}, std::int64_t{-5});
    out.family("d_seconds", Type::histogram, "Times.");
    out.sample("_sum", {}, 0.25);
    return out.take();
  };
  CHECK(write(Format::prometheus) ==
        "# HELP a_total Counts.\n# TYPE a_total counter\na_total{x=\"1\",y=\"\"} 18446744073709551615\n"
        "# HELP b_info Says.\n# TYPE b_info gauge\nb_info{version=\"0\"} 1\n"
        "# HELP c Is.\n# TYPE c gauge\nc -5\n"
        "# HELP d_seconds Times.\n# TYPE d_seconds histogram\nd_seconds_sum 0.25\n");
  CHECK(write(Format::openmetrics) ==
        "# HELP a Counts.\n# TYPE a counter\na_total{x=\"1\",y=\"\"} 18446744073709551615\n"
        "# HELP b Says.\n# TYPE b info\nb_info{version=\"0\"} 1\n"
        "# HELP c Is.\n# TYPE c gauge\nc -5\n"
        "# HELP d_seconds Times.\n# TYPE d_seconds histogram\nd_seconds_sum 0.25\n"
        "# EOF\n");
}

TEST_CASE("metrics: values of labels are escaped, and always UTF-8") {
  const struct {
    std::string_view value, expected;
  } rows[] = {
      {"", ""},
      {"/users/{id}", "/users/{id}"},
      {"a\\b\"c\nd", "a\\\\b\\\"c\\nd"},
      {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"a\xff" "b", "a\xef\xbf\xbd" "b"},
      {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                              // overlong
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},              // a surrogate
      {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // past U+10FFFF
      {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},                              // cut off
  };
  for (const auto& row : rows) CHECK(written(row.value) == row.expected);
  CHECK(written(std::string(5000, '"')).size() == 10000);
}

TEST_CASE("metrics: what workers have counted is added up") {
  Metrics metrics;
  metrics.set_workers(3);
  const auto route = metrics.route("users");
  const auto unused = metrics.route("unused");
  for (const std::size_t worker : {std::size_t{0}, std::size_t{2}}) {
    RouteCounters& c = route->of(worker);
    c.statuses.add(200);
    c.statuses.add(502);
    c.failures.add(static_cast<std::uint32_t>(gw::Error::connect_failed));
    c.failures.add(0);      // of another category
    c.failures.add(99999);  // no error that gw knows
    c.durations.add(600us);
    c.durations.add(1h);
    c.bytes_received.add(1);
    c.bytes_sent.add(10);
  }
  const auto upstream = metrics.upstream("u");
  upstream->of(1).statuses.add(204);
  upstream->of(2).statuses.add(200);
  upstream->of(2).failures.add(static_cast<std::uint32_t>(gw::Error::upstream_reset));
  upstream->of(2).idle.up();
  metrics.worker(1).accepted.add(3);
  metrics.worker(2).accepted.add(4);
  metrics.worker(1).refused.add(static_cast<std::uint32_t>(gw::Error::bad_host));

  const std::string text = metrics_text(metrics, Format::prometheus);
  CHECK(has(text, "# TYPE gw_requests_total counter\ngw_requests_total{route=\"users\",status=\"200\"} 2\n"
                  "gw_requests_total{route=\"users\",status=\"502\"} 2\n#"));
  CHECK(has(text, "gw_request_failures_total{route=\"users\",error=\"connect_failed\"} 2\n"
                  "gw_request_failures_total{route=\"users\",error=\"system\"} 4\n"));
  CHECK(has(text, "gw_request_duration_seconds_bucket{route=\"users\",le=\"0.0005\"} 0\n"
                  "gw_request_duration_seconds_bucket{route=\"users\",le=\"0.001\"} 2\n"));
  CHECK(has(text, "gw_request_duration_seconds_bucket{route=\"users\",le=\"30.0\"} 2\n"
                  "gw_request_duration_seconds_bucket{route=\"users\",le=\"+Inf\"} 4\n"
                  "gw_request_duration_seconds_sum{route=\"users\"} 7200.0012\n"
                  "gw_request_duration_seconds_count{route=\"users\"} 4\n"));
  CHECK(has(text, "gw_request_body_bytes_total{route=\"users\"} 2\n"));
  CHECK(has(text, "gw_response_body_bytes_total{route=\"users\"} 20\n"));
  CHECK_FALSE(has(text, "unused"));
  CHECK(has(text, "gw_upstream_requests_total{upstream=\"u\",outcome=\"2xx\"} 2\n"
                  "gw_upstream_requests_total{upstream=\"u\",outcome=\"upstream_reset\"} 1\n"));
  CHECK(has(text, "gw_upstream_connections_idle{upstream=\"u\"} 1\n"));
  CHECK(has(text, "\ngw_connections_accepted_total 7\n"));
  CHECK(has(text, "\ngw_refused_requests_total{error=\"bad_host\"} 1\n"));
  CHECK(has(text, "\ngw_workers 2\n"));
  CHECK(has(text, "\ngw_config_version 0\n"));
  CHECK(has(text, "\ngw_config_last_reload_successful 0\n"));
  CHECK(has(text, "\ngw_build_info{version=\"" GW_VERSION "\"} 1\n"));
  CHECK(has(text, "\nprocess_start_time_seconds 1"));
  CHECK_FALSE(has(text, "EOF"));
  CHECK(metrics_text(metrics, Format::openmetrics).ends_with("\n# EOF\n"));
}

TEST_CASE("metrics: what logs have dropped is added up, each log once") {
  struct Lossy {
    std::uint64_t lost;
    void done(const gw::Context&) const {}
    std::uint64_t dropped() const { return lost; }
  };
  struct Plain {
    void done(const gw::Context&) const {}
  };
  Metrics metrics;
  const gw::Stage one(Lossy{3}), two(Lossy{4}), plain(Plain{});
  metrics.set_stages({one, plain, two, one, plain});
  CHECK(has(metrics_text(metrics, Format::prometheus), "\ngw_access_log_dropped_lines_total 7\n"));
  metrics.set_stages({two});
  CHECK(has(metrics_text(metrics, Format::prometheus), "\ngw_access_log_dropped_lines_total 4\n"));
}

TEST_CASE("metrics: the outcome of the last configuration is told, and the version counts the good ones") {
  Metrics metrics;
  metrics.configured(true);
  metrics.configured(false);
  std::string text = metrics_text(metrics, Format::prometheus);
  CHECK(has(text, "\ngw_config_version 1\n"));
  CHECK(has(text, "\ngw_config_last_reload_successful 0\n"));
  CHECK_FALSE(has(text, "gw_config_last_reload_success_timestamp_seconds 0\n"));
  metrics.configured(true);
  text = metrics_text(metrics, Format::prometheus);
  CHECK(has(text, "\ngw_config_version 2\n"));
  CHECK(has(text, "\ngw_config_last_reload_successful 1\n"));
}
