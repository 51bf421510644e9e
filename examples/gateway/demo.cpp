#include "demo.hpp"

#include <gw/gw.hpp>

#include <iostream>
#include <string>

namespace demo {

namespace {

// A microservice that answers one path, like the Flask services in examples/foobar.
gw::Gateway make_service(const std::string& name) {
  gw::Gateway service;
  service.config().workers = 1;
  service.get("/" + name, [name](gw::Context&) { return gw::Json("{\"msg\":\"Hello from the " + name + " microservice\"}"); });
  return service;
}

}  // namespace

void run(std::uint16_t port, const gw::LogSink& log) {
  gw::Gateway foo = make_service("foo"), bar = make_service("bar");
  const gw::Server foo_server = foo.start("127.0.0.1:0"), bar_server = bar.start("127.0.0.1:0");

  gw::Gateway app;
  app.log_to(log);
  app.use(gw::request_id(), gw::access_log());
  app.prefix("/foo").forward("http://" + foo_server.address());
  app.prefix("/bar").forward("http://" + bar_server.address());
  const gw::Server server = app.start("127.0.0.1:" + std::to_string(port));
  std::cout << "gw listens on " << server.address() << " in front of two services. Try, in another terminal:\n\n"
            << "  curl " << server.address() << "/foo\n  curl " << server.address() << "/bar\n  curl " << server.address()
            << "/\n\nCtrl-C ends it.\n"
            << std::endl;
  app.run();
}

}  // namespace demo
