#include <gw/middleware/basic_auth.hpp>

#include "h1/rules.hpp"
#include "middleware/credentials.hpp"
#include "middleware/password.hpp"
#include "middleware/remembered.hpp"
#include "middleware/siphash.hpp"

#include <gw/blocking.hpp>

#include <atomic>
#include <map>
#include <optional>
#include <vector>

namespace gw {
inline namespace v0 {

using detail::Fingerprint;

namespace {

/// What follows "Basic ", or nothing for another scheme.
std::optional<std::string_view> basic_token(std::string_view value) {
  constexpr std::string_view scheme = "basic";
  if (value.size() < scheme.size() || !iequals(value.substr(0, scheme.size()), scheme)) return std::nullopt;
  value.remove_prefix(scheme.size());
  if (!value.empty() && value.front() != ' ') return std::nullopt;
  return value.substr(std::min(value.find_first_not_of(' '), value.size()));
}

}  // namespace

struct BasicAuth::State {
  std::map<std::string, std::string, std::less<>> users;
  std::vector<const std::string*> hashes;
  const detail::SipKey secret = detail::random_sip_key();
  std::string challenge, consumer_header;
  bool forward_credentials = false;
  Duration remember{};
  unsigned verifications = 0;
  std::atomic<unsigned> verifying{0};
  detail::Remembered remembered;

  /// The hash to verify a password of `name` with. An unknown name is given that of some user, and always of the same: a
  /// refusal then takes as long as for a user, even if their hashes differ in cost.
  const std::string& hash_for(std::string_view name) const {
    if (const auto found = users.find(name); found != users.end()) return found->second;
    return *hashes[detail::siphash(secret, name).low % hashes.size()];
  }

  /// Whether the credentials are right, in milliseconds.
  bool verify(const detail::NamedPassword& credentials, const Fingerprint& fingerprint) {
    // Another request with the same may have come first while this one waited for a thread.
    if (remembered.find(fingerprint, detail::Remembered::Clock::now())) return true;
    const auto user = users.find(credentials.name);
    if (!detail::is_password(credentials.password, hash_for(credentials.name)) || user == users.end()) return false;
    remembered.add(fingerprint, user->first, detail::Remembered::Clock::now() + remember);
    return true;
  }
};

namespace {

/// Counts a verification while it runs or waits.
class Turn {
 public:
  Turn(std::atomic<unsigned>& count, unsigned limit) : count_(count), is_given_(count.fetch_add(1) < limit) {}
  ~Turn() { --count_; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  bool is_given() const { return is_given_; }

 private:
  std::atomic<unsigned>& count_;
  bool is_given_;
};

}  // namespace

BasicAuth::BasicAuth(BasicAuthOptions options) : state_(std::make_shared<State>()) {
  Problems problems;
  const auto report = [&](std::string what, Place place = {}) {
    if (!what.empty()) problems.push_back({std::move(place), std::move(what)});
  };
  State& s = *state_;
  // Nothing of a line is repeated in a message: it may be a password where its hash was meant.
  const auto add = [&](std::string_view name, std::string_view hash, const Place& place) {
    const bool is_name = detail::consumer_mistake(name).empty();
    report(is_name ? std::string() : detail::consumer_mistake(name), place);
    if (is_name && name.find(':') != name.npos) report("a user's name has no colon", place);
    report(detail::password_hash_mistake(hash), place);
    if (!s.users.emplace(name, hash).second) report("this user is there already", place);
  };
  for (const auto& [name, hash] : options.users) add(name, hash, Place{{}, 0, 0, "users"});
  if (!options.users_file.empty())
    detail::read_credential_lines(options.users_file, problems, [&](std::string_view line, const Place& place) {
      const std::size_t colon = line.find(':');
      if (colon == line.npos) return report("expected NAME:HASH", place);
      add(line.substr(0, colon), line.substr(colon + 1), place);
    });
  if (options.users.empty() && options.users_file.empty()) report("basic_auth needs users or users_file");
  report(detail::realm_mistake(options.realm), Place{{}, 0, 0, "realm"});
  report(detail::consumer_field_mistake(options.consumer_header), Place{{}, 0, 0, "consumer_header"});
  if (iequals(options.consumer_header, "authorization"))
    report("the password and the user's name need different headers", Place{{}, 0, 0, "consumer_header"});
  if (options.remember <= Duration::zero()) report("a duration must be above zero", Place{{}, 0, 0, "remember"});
  if (options.verifications == 0) report("without verifications nobody could pass", Place{{}, 0, 0, "verifications"});
  if (!problems.empty()) throw ConfigError(std::move(problems));

  for (const auto& user : s.users) s.hashes.push_back(&user.second);
  s.challenge = detail::challenge("Basic", options.realm) + ", charset=\"UTF-8\"";
  s.consumer_header = std::move(options.consumer_header);
  s.forward_credentials = options.forward_credentials;
  s.remember = options.remember;
  s.verifications = options.verifications;
}

void BasicAuth::reopen() const { state_->remembered.clear(); }

Task<> BasicAuth::operator()(Context& c, Next next) const {
  State& s = *state_;
  std::size_t count = 0;
  std::optional<std::string_view> token;
  c.req.headers.remove_if([&](const Headers::Field& f) {
    if (iequals(f.name, "authorization")) {
      ++count;
      const auto found = basic_token(f.value);
      if (found) token = found;
      return found && !s.forward_credentials;
    }
    return !s.consumer_header.empty() && h1::is_named(f.name, s.consumer_header);
  });
  if (!token || count > 1 || s.users.empty()) co_return detail::refuse(c, s.challenge);

  // Of all that the client sent, before anything of it is decoded. The request's own time spares a look at the clock.
  const Fingerprint fingerprint = detail::siphash(s.secret, *token);
  const std::string* user = s.remembered.find(fingerprint, detail::ContextAccess::received(c));
  if (!user) {
    const std::optional<detail::NamedPassword> credentials = detail::parse_basic(*token);
    if (!credentials) co_return detail::refuse(c, s.challenge);
    const Turn turn(s.verifying, s.verifications);
    if (!turn.is_given()) {
      c.fail(Failure(Error::overloaded));
      c.res.headers.add("Retry-After", "1");
      co_return;
    }
    const auto verify = [&] { return s.verify(*credentials, fingerprint); };
    if (!co_await blocking(verify)) co_return detail::refuse(c, s.challenge);
    user = &s.users.find(credentials->name)->first;
  }
  c.set_consumer(*user);
  if (!s.consumer_header.empty()) c.req.headers.borrow(s.consumer_header, *user);
  co_await next();
}

}  // namespace v0
}  // namespace gw
