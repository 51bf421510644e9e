#include <doctest/doctest.h>

#include <gw/middleware/request_id.hpp>

#include <string>
#include <utility>
#include <vector>

TEST_CASE("request_id: upstream and client get the id; the client's own is not believed") {
  const gw::Pipeline pipeline({gw::request_id()});
  CHECK(pipeline.stages()[0].name() == "request_id");
  gw::Context c;
  c.req.headers.add("x-request-id", "forged");
  c.req.headers.add("X-Request-ID", "forged again");
  std::string seen_upstream;
  CHECK(pipeline.run_now(c, gw::Handler([&](gw::Context& inner) {
    seen_upstream = inner.req.headers["x-request-id"];
    gw::Response response(200);
    response.headers.add("X-Request-Id", "of the upstream");
    return response;
  })));
  CHECK(seen_upstream == c.id());
  CHECK(c.req.headers.count("x-request-id") == 1);
  CHECK(c.res.headers.count("x-request-id") == 1);
  CHECK(c.res.headers["x-request-id"] == c.id());
}

TEST_CASE("request_id: the id of a trusted peer is believed, if it is one") {
  const std::vector<std::pair<std::vector<std::string>, bool>> cases{
      {{"7b1c-55_x.~"}, true}, {{std::string(128, 'x')}, true}, {{std::string(129, 'x')}, false}, {{""}, false},
      {{"a b"}, false},        {{"caf\xc3\xa9"}, false},        {{"one", "two"}, false},         {{}, false},
  };
  for (const auto& [sent, is_believed] : cases) {
    for (const bool is_trusted : {true, false}) {
      CAPTURE(sent.size());
      CAPTURE(is_trusted);
      gw::Context c;
      gw::detail::ContextAccess::begin(c, nullptr, 1, 1, "10.0.0.1");
      if (is_trusted) gw::detail::ContextAccess::set_client(c, gw::IpAddress::v4(0xc0000207), "http");
      for (const std::string& id : sent) c.req.headers.add("X-Request-Id", id);
      gw::RequestId().request(c);
      CHECK((c.id() == (sent.empty() ? "" : sent[0])) == (is_believed && is_trusted));
      CHECK(c.req.headers.count("x-request-id") == 1);
      CHECK(c.req.headers["x-request-id"] == c.id());
    }
  }
}

TEST_CASE("request_id: what set_id was given is what is sent") {
  gw::Context c;
  c.set_id("from-elsewhere");
  const gw::RequestId stage;
  stage.request(c);
  stage.response(c);
  CHECK(c.req.headers["x-request-id"] == "from-elsewhere");
  CHECK(c.res.headers["x-request-id"] == "from-elsewhere");
}
