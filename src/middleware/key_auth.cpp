#include <gw/middleware/key_auth.hpp>

#include "h1/rules.hpp"
#include "middleware/credentials.hpp"
#include "middleware/sha256.hpp"

#include <gw/path.hpp>

#include <optional>
#include <string>
#include <unordered_map>

namespace gw {
inline namespace v0 {

using detail::Digest;

struct KeyAuth::State {
  std::unordered_map<Digest, std::string, detail::DigestHash, detail::DigestEqual> consumers;
  std::string header, query, consumer_header;
  bool bearer = false;
  std::string challenge;
};

namespace {

constexpr std::size_t longest_key = 1024;

/// The credentials of a request while they are taken out of it.
class Taken {
 public:
  void add(std::string_view key) {
    key_ = key;
    ++count_;
  }
  /// The key; nothing if there is none, or if it is not clear which one counts.
  std::optional<std::string_view> key() const {
    return count_ == 1 && !key_.empty() && key_.size() <= longest_key ? std::optional(key_) : std::nullopt;
  }

 private:
  std::string_view key_;
  std::size_t count_ = 0;
};

/// What follows "Bearer " (RFC 6750 2.1), or nothing for another scheme.
std::optional<std::string_view> bearer_token(std::string_view value) {
  constexpr std::string_view scheme = "bearer";
  if (value.size() < scheme.size() || !iequals(value.substr(0, scheme.size()), scheme)) return std::nullopt;
  value.remove_prefix(scheme.size());
  if (value.empty()) return value;
  if (value.front() != ' ') return std::nullopt;
  return value.substr(std::min(value.find_first_not_of(' '), value.size()));
}

/// The value of a part of a query between "&", if it is the parameter `wanted`.
std::optional<std::string_view> value_of(std::string_view parameter, std::string_view wanted, bool is_escaped) {
  // Mostly nothing is, and "=" need not be searched for.
  const std::size_t size = is_escaped ? std::min(parameter.find('='), parameter.size()) : std::min(wanted.size(), parameter.size());
  const std::string_view name = parameter.substr(0, size);
  if (!(is_escaped ? detail::equals_decoded(name, wanted) : name == wanted)) return std::nullopt;
  if (size == parameter.size()) return std::string_view();
  return parameter[size] == '=' ? std::optional(parameter.substr(size + 1)) : std::nullopt;
}

/// Takes every parameter `wanted` out of the request's target.
void take_from_query(Context& c, std::string_view wanted, Taken& taken) {
  detail::Arena& arena = detail::ContextAccess::arena(c);
  const std::string_view target = c.req.target(), query = c.req.query();
  const std::size_t path_size = target.size() - query.size() - 1;
  const bool is_escaped = query.find('%') != query.npos;
  char* kept = nullptr;  // what stays of the target, once there is something that does not
  char* end = nullptr;
  for (std::size_t start = 0, next; start <= query.size(); start = next + 1) {
    next = std::min(query.find('&', start), query.size());
    const std::string_view parameter = query.substr(start, next - start);
    if (const auto value = value_of(parameter, wanted, is_escaped)) {
      taken.add(is_escaped ? arena.copy(percent_decode(*value)) : *value);
      if (kept) continue;
      kept = arena.allocate(target.size());
      // All before the parameter, without the character that parts them.
      end = std::copy_n(target.data(), path_size + start, kept);
    } else if (kept) {
      *end = end == kept + path_size ? '?' : '&';
      end = std::copy(parameter.begin(), parameter.end(), end + 1);
    }
  }
  if (!kept) return;
  const std::string_view all(kept, static_cast<std::size_t>(end - kept));
  const bool has_query = all.size() > path_size;
  c.req.borrow_query(all, has_query ? all.substr(path_size + 1) : std::string_view(), has_query);
}

/// The digest that 64 hexadecimal digits stand for.
std::optional<Digest> parse_digest(std::string_view digits) {
  Digest digest;
  if (digits.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = detail::hex_value(digits[2 * i]), low = detail::hex_value(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return digest;
}

}  // namespace

KeyAuth::KeyAuth(KeyAuthOptions options) {
  Problems problems;
  const auto report = [&](std::string what, Place place = {}) {
    if (!what.empty()) problems.push_back({std::move(place), std::move(what)});
  };
  auto state = std::make_shared<State>();
  // Nothing of a line is repeated in a message: it may be a key where its digest was meant.
  const auto add = [&](std::string_view digits, std::string_view consumer, const Place& place) {
    report(detail::consumer_mistake(consumer), place);
    const auto digest = parse_digest(digits);
    if (!digest)
      report("expected the SHA-256 of a key: 64 hexadecimal digits", place);
    else if (!state->consumers.emplace(*digest, consumer).second)
      report("this key is there already", place);
  };
  for (const auto& [consumer, digits] : options.keys) add(digits, consumer, Place{{}, 0, 0, "keys"});
  if (!options.keys_file.empty())
    detail::read_credential_lines(options.keys_file, problems, [&](std::string_view line, const Place& place) {
      const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
      const std::size_t consumer = std::min(line.find_first_not_of(" \t", end), line.size());
      add(line.substr(0, end), line.substr(consumer), place);
    });
  if (options.keys.empty() && options.keys_file.empty()) report("key_auth needs keys or keys_file");

  if (options.header.empty() && options.query.empty() && !options.bearer) options.header = "X-Api-Key";
  if (!options.header.empty() && !is_token(options.header)) report("the key's header has a name that is no header name", Place{{}, 0, 0, "header"});
  if (iequals(options.header, "authorization")) report("for Authorization: Bearer there is the option bearer", Place{{}, 0, 0, "header"});
  report(detail::consumer_field_mistake(options.consumer_header), Place{{}, 0, 0, "consumer_header"});
  if (!options.header.empty() && h1::is_named(options.header, options.consumer_header))
    report("the key and the consumer's name need different headers", Place{{}, 0, 0, "consumer_header"});
  report(detail::realm_mistake(options.realm), Place{{}, 0, 0, "realm"});
  if (!problems.empty()) throw ConfigError(std::move(problems));

  state->header = std::move(options.header);
  state->query = std::move(options.query);
  state->consumer_header = std::move(options.consumer_header);
  state->bearer = options.bearer;
  // No scheme is registered for keys; "Key" is what other gateways say.
  state->challenge = detail::challenge(options.bearer ? "Bearer" : "Key", options.realm);
  state_ = std::move(state);
}

void KeyAuth::request(Context& c) const {
  const State& s = *state_;
  Taken taken;
  c.req.headers.remove_if([&](const Headers::Field& f) {
    if (!s.header.empty() && iequals(f.name, s.header)) return taken.add(f.value), true;
    if (s.bearer && iequals(f.name, "authorization")) {
      const auto token = bearer_token(f.value);
      if (token) taken.add(*token);
      return token.has_value();
    }
    return !s.consumer_header.empty() && h1::is_named(f.name, s.consumer_header);
  });
  if (!s.query.empty() && c.req.has_query()) take_from_query(c, s.query, taken);

  const auto key = taken.key();
  const auto found = key ? s.consumers.find(detail::sha256(*key)) : s.consumers.end();
  if (found == s.consumers.end()) return detail::refuse(c, s.challenge);
  c.set_consumer(found->second);
  if (!s.consumer_header.empty()) c.req.headers.borrow(s.consumer_header, found->second);
}

}  // namespace v0
}  // namespace gw
