/// \file
/// Level 4: the stage `key_auth`.
#pragma once

#include <gw/middleware.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// The options of `key_auth`. Keys themselves appear nowhere: only their SHA-256, as 64 hexadecimal digits.
struct KeyAuthOptions {
  std::vector<std::pair<std::string, std::string>> keys = {};  ///< consumer and digest; a consumer may have several keys
  std::string keys_file = {};  ///< a digest and a consumer on each line, as `sha256sum` writes them; "#" begins a comment
  /// Where requests carry the key. Without any of the three: in the header `X-Api-Key`.
  std::string header = {};
  std::string query = {};  ///< the name of a query parameter; URLs get into many logs, so a header is better
  bool bearer = false;     ///< `Authorization: Bearer KEY` (RFC 6750)
  /// The field that tells the upstream who the consumer is; a client's own is always removed. Empty: none.
  std::string consumer_header = "X-Consumer";
  std::string realm = "gw";  ///< what the client is told to authenticate for
};

/// Lets requests with a known key pass, as its consumer (`Context::consumer`); answers 401 with `WWW-Authenticate` to
/// all others: no key, another one, more than one, one above 1 KiB. The key is taken out of the request, wherever it
/// was and also if it is refused, so that neither upstreams nor logs see it.
///
/// The keys are looked up by their digest, which is compared in constant time. Copies share them.
class GW_EXPORT KeyAuth {
 public:
  static constexpr std::string_view stage_name = "key_auth";

  /// Reads the file; throws `ConfigError` with a problem for everything that is wrong.
  explicit KeyAuth(KeyAuthOptions options);

  void request(Context& c) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// `app.use(gw::key_auth({.keys_file = "/etc/gw/keys"}));`
inline Stage key_auth(KeyAuthOptions options) { return KeyAuth(std::move(options)); }

}  // namespace v0
}  // namespace gw
