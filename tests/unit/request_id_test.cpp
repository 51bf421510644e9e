#include <doctest/doctest.h>

#include <gw/middleware/request_id.hpp>

#include <string>

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

TEST_CASE("request_id: what set_id was given is what is sent") {
  gw::Context c;
  c.set_id("from-elsewhere");
  const gw::RequestId stage;
  stage.request(c);
  stage.response(c);
  CHECK(c.req.headers["x-request-id"] == "from-elsewhere");
  CHECK(c.res.headers["x-request-id"] == "from-elsewhere");
}
