// gw::core needs nothing but the standard library: not even the compiled part of gw.
#include <gw/balancer.hpp>
#include <gw/network.hpp>
#include <gw/pool.hpp>
#include <gw/router.hpp>

#include <memory>
#include <optional>
#include <string>

int main() {
  gw::RouterBuilder<int> builder;
  builder.add({.pattern = "/foo"}, 1);
  builder.add({.kind = gw::RouteRule::Kind::path, .pattern = "/users/{id}"}, 2);
  const auto built = builder.build();

  std::string scratch, joined;
  const auto path = gw::normalize_path("/users/./%37", scratch);
  const gw::Headers headers{{"Accept", "*/*"}};
  const auto match = built.router.match({.path = *path, .headers = &headers});
  gw::join_path(joined, "/v1", *path);

  gw::Pool<std::string, std::shared_ptr<int>> pool;
  const bool is_open = pool.open("origin", {.idle = 1, .total = 1});
  pool.give("origin", std::make_shared<int>(7), {.idle = 1, .total = 1});

  gw::Random random(1);
  const gw::Candidate candidates[] = {{"10.0.0.1:8080", 1}, {"10.0.0.2:8080", 2}};
  const gw::Balancer balancer(gw::Balance::p2c, candidates);
  const std::size_t picked = balancer.pick(random, std::nullopt, [](std::size_t i) { return i; });

  const bool is_right = built.problems.empty() && match && *match.value == 2 && match.params["id"] == "7" && joined == "/v1/users/7" && is_open &&
                        pool.idle("origin") == 1 && picked == 0;
  return is_right ? 0 : 1;
}
