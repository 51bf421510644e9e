#include "proxy/affinity.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <chrono>

namespace gw {
inline namespace v0 {
namespace proxy {

std::optional<std::string_view> cookie_of(const Headers& headers, std::string_view name) noexcept {
  for (const Headers::Field& field : headers) {
    if (!iequals(field.name, "cookie")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
      while (!pair.empty() && pair.back() == ' ') pair.remove_suffix(1);
      if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name)) return pair.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> value_of(const HashKey& key, const Context& c) noexcept {
  switch (key.kind) {
    case HashKey::Kind::client_address: return c.client_address();
    case HashKey::Kind::path: return c.req.path();
    case HashKey::Kind::header: return c.req.headers.get(key.name);
    case HashKey::Kind::cookie: return cookie_of(c.req.headers, key.name);
  }
  return std::nullopt;
}

std::string sticky_value(const StickyOptions& options, std::string_view address) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  ::HMAC(EVP_sha256(), options.secret.data(), static_cast<int>(options.secret.size()), reinterpret_cast<const unsigned char*>(address.data()),
         address.size(), digest, &size);
  // 128 bits are more than anybody guesses.
  std::string value;
  for (unsigned i = 0; i < 16 && i < size; ++i) {
    value += "0123456789abcdef"[digest[i] >> 4];
    value += "0123456789abcdef"[digest[i] & 15];
  }
  return value;
}

std::string sticky_cookie(const StickyOptions& options, std::string_view value, bool is_secure) {
  std::string field = options.cookie + '=';
  field.append(value).append("; Path=/; HttpOnly; SameSite=Lax");
  if (is_secure) field += "; Secure";
  if (options.max_age) field += "; Max-Age=" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*options.max_age).count());
  return field;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
