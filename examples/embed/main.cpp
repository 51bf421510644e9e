/// \file
/// An application with a gateway inside: one handler, a stage that never waits, and one that wraps what comes after it.
///
///     embed                       sends requests through the gateway without a socket, and prints the answers
///     embed 127.0.0.1:8000        serves until Ctrl-C
///     curl -i -H 'x-user: ann' http://127.0.0.1:8000/hello/bob
#include <gw/gw.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace {

/// Lets only named users in. Plain functions, no base class; const, because all workers share it.
struct NeedUser {
  void request(gw::Context& c) const {
    if (!c.req.headers.has("x-user")) c.reply(401);
  }
};

/// Sees the response on its way back; `co_await` anything here.
gw::Task<> served_by(gw::Context& c, gw::Next next) {
  co_await next();
  c.res.headers.set("x-served-by", "embed");
}

std::string hello(gw::Context& c) {
  return "hello " + std::string(c.params["name"]) + ", says " + std::string(c.req.headers["x-user"]);
}

gw::Gateway make_gateway() {
  gw::Gateway app;
  app.use(gw::request_id(), served_by);
  app.get("/hello/{name}").use(NeedUser()).handle(hello);
  return app;
}

void show(gw::Gateway& app, std::string_view target, std::string_view user) {
  gw::Request request(gw::Method::get, target);
  if (!user.empty()) request.headers.set("x-user", user);
  const gw::Response response = app.dispatch(std::move(request));
  const std::string text(response.body.text());
  const std::string by(response.headers["x-served-by"]);
  std::printf("%s: %d by %s: %s\n", std::string(target).c_str(), response.status, by.c_str(), text.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    gw::Gateway app = make_gateway();
    if (argc > 1) {
      app.run(argv[1]);
      return 0;
    }
    show(app, "/hello/bob", "ann");
    show(app, "/hello/bob", "");
    show(app, "/nowhere", "ann");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
