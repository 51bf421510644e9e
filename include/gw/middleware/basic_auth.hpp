/// \file
/// Level 4: the stage `basic_auth`.
#pragma once

#include <gw/limits.hpp>
#include <gw/middleware.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// The options of `basic_auth`. Passwords themselves appear nowhere: only their hashes, as crypt(3) writes them with
/// SHA-512 or SHA-256 (`openssl passwd -6`), yescrypt or bcrypt (`htpasswd -B`).
struct BasicAuthOptions {
  std::vector<std::pair<std::string, std::string>> users = {};  ///< name and hash
  std::string users_file = {};  ///< NAME:HASH on each line; "#" begins a comment
  std::string realm = "gw";     ///< what the client is told to authenticate for
  /// The field that tells the upstream who the user is; a client's own is always removed. Empty: none.
  std::string consumer_header = "X-Consumer";
  bool forward_credentials = false;  ///< leaves `Authorization` in the request, for upstreams that look at it themselves
  /// How long a verified password is believed without computing its hash again, which takes milliseconds.
  Duration remember = std::chrono::minutes(5);
  /// How many verifications may run or wait at a time, 1 or more; a request beyond is answered 503, so that a flood of
  /// wrong passwords cannot take all memory and time.
  unsigned verifications = 64;
};

/// Lets requests with the name and password of a user pass (RFC 7617), as the consumer of that name
/// (`Context::consumer`); answers 401 with `WWW-Authenticate` to all others.
///
/// A password is verified on the threads of `gw::blocking`, an unknown user's as slowly as a known one's. Up to 8192
/// verified ones are remembered, as a keyed hash; a reload forgets them. Copies share all this.
class GW_EXPORT BasicAuth {
 public:
  static constexpr std::string_view stage_name = "basic_auth";

  /// Reads the file; throws `ConfigError` with a problem for everything that is wrong.
  explicit BasicAuth(BasicAuthOptions options);

  Task<> operator()(Context& c, Next next) const;
  /// Forgets the passwords that were verified. Any thread.
  void reopen() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// `app.use(gw::basic_auth({.users_file = "/etc/gw/users"}));`
inline Stage basic_auth(BasicAuthOptions options) { return BasicAuth(std::move(options)); }

}  // namespace v0
}  // namespace gw
