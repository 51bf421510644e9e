/// \file
/// Level 4: the stage `cors`.
#pragma once

#include <gw/limits.hpp>
#include <gw/middleware.hpp>

#include <memory>
#include <string>
#include <vector>

namespace gw {
inline namespace v0 {

/// The options of `cors`: what pages of other origins may do.
struct CorsOptions {
  /// "https://app.example", "https://*.example.com" (any host below it, at any depth), or "*" alone (all).
  std::vector<std::string> origins = {};
  /// What a preflight allows; or "*". GET, HEAD and POST need no permission.
  std::vector<std::string> methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  std::vector<std::string> headers = {};  ///< request headers beyond those that need no permission; or "*"
  std::vector<std::string> expose = {};   ///< response headers that a page may read; or "*"
  bool credentials = false;               ///< whether requests may carry cookies and the like; then nothing may be "*"
  Duration max_age = {};                  ///< how long browsers may keep the answer to a preflight, in whole seconds; zero: not said
};

/// Tells browsers what pages of other origins may do, as the Fetch standard describes it (CORS): answers preflight
/// requests with 204, and adds the `Access-Control-*` fields to every other response, errors included. Those of the
/// upstream are removed. Requests are never refused: the browser does that.
class GW_EXPORT Cors {
 public:
  static constexpr std::string_view stage_name = "cors";

  /// Throws `ConfigError` with a problem for everything that is wrong.
  explicit Cors(CorsOptions options);

  void request(Context& c) const;
  void response(Context& c) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// `app.use(gw::cors({.origins = {"https://app.example"}, .credentials = true}));`
inline Stage cors(CorsOptions options) { return Cors(std::move(options)); }

}  // namespace v0
}  // namespace gw
