/// \file
/// A project that builds gw from its sources: runs a stage and a handler, without a socket.
#include <gw/middleware.hpp>

#include <cstdio>

namespace {

struct NeedUser {
  void request(gw::Context& c) const {
    if (!c.req.headers.has("x-user")) c.reply(401);
  }
};

int status(const gw::Pipeline& pipeline, const gw::Handler& hello, bool has_user) {
  gw::Context c;
  if (has_user) c.req.headers.set("x-user", "7");
  pipeline.run_now(c, hello);
  return c.res.status;
}

}  // namespace

int main() {
  const gw::Pipeline pipeline({gw::Stage(NeedUser{})});
  const gw::Handler hello([](gw::Context&) { return "hello"; });
  if (status(pipeline, hello, true) != 200 || status(pipeline, hello, false) != 401) return 1;
  std::puts("gw " GW_VERSION " works as a subdirectory");
}
