#include "middleware/password.hpp"

#include "middleware/sha256.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <crypt.h>
#include <openssl/evp.h>

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t longest_token = 1024;

bool is_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '/'; }

bool is_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return false;
  for (int padding = 0; padding < 2 && text.back() == '='; ++padding) text.remove_suffix(1);
  return std::all_of(text.begin(), text.end(), [](char c) { return (is_digit(c) && c != '.') || c == '+'; });
}

bool are_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }
bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Splits at the last "$": what stands before it, and behind.
std::pair<std::string_view, std::string_view> last_part(std::string_view text) {
  const std::size_t dollar = text.rfind('$');
  return dollar == text.npos ? std::pair(std::string_view(), text) : std::pair(text.substr(0, dollar), text.substr(dollar + 1));
}

/// "[rounds=N$]SALT$HASH".
template <std::size_t digits>
bool is_sha(std::string_view rest) {
  constexpr std::string_view rounds = "rounds=";
  const auto [before, result] = last_part(rest);
  const auto [setting, salt] = last_part(before);
  const bool has_setting = setting.starts_with(rounds) && is_number(setting.substr(rounds.size()));
  return result.size() == digits && are_digits(result) && are_digits(salt) && salt.size() <= 16 && (setting.empty() || has_setting);
}

/// "SETTING$SALT$HASH".
bool is_yescrypt(std::string_view rest) {
  const auto [before, result] = last_part(rest);
  const auto [setting, salt] = last_part(before);
  return result.size() == 43 && are_digits(result) && are_digits(salt) && are_digits(setting);
}

/// "COST$", then salt and hash in one.
bool is_bcrypt(std::string_view rest) {
  const auto [cost, result] = last_part(rest);
  return result.size() == 53 && are_digits(result) && cost.size() == 2 && is_number(cost) && cost >= "04" && cost <= "31";
}

/// A way of hashing that is slow enough for passwords.
struct Method {
  std::string_view prefix;
  bool (*is_whole)(std::string_view rest);
};
constexpr Method methods[] = {{"$6$", is_sha<86>}, {"$5$", is_sha<43>}, {"$y$", is_yescrypt}, {"$2a$", is_bcrypt}, {"$2b$", is_bcrypt}, {"$2y$", is_bcrypt}};

}  // namespace

std::string password_hash_mistake(std::string_view hash) {
  constexpr std::string_view cut = "the hash of a password is cut off, or has characters that do not belong there";
  for (const Method& method : methods) {
    if (!hash.starts_with(method.prefix)) continue;
    return std::string(method.is_whole(hash.substr(method.prefix.size())) ? std::string_view() : cut);
  }
  return "expected the hash of a password, as from `openssl passwd -6`: SHA-512 ($6$), SHA-256 ($5$), yescrypt ($y$) or bcrypt ($2b$)";
}

bool is_password(const std::string& password, const std::string& hash) {
  const auto memory = std::make_unique<crypt_data>();
  const char* const computed = crypt_r(password.c_str(), hash.c_str(), memory.get());
  return computed && std::string_view(computed).size() == hash.size() && is_equal(computed, hash.data(), hash.size());
}

std::optional<NamedPassword> parse_basic(std::string_view token) {
  if (token.size() > longest_token || !is_base64(token)) return std::nullopt;
  std::string text(token.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(token.data()),
                                   static_cast<int>(token.size()));
  if (size < 0) return std::nullopt;
  // The size counts the bytes that padding stands for.
  text.resize(static_cast<std::size_t>(size) - (token.ends_with("==") ? 2 : token.ends_with('=') ? 1 : 0));
  const bool has_control = std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  const std::size_t colon = text.find(':');
  if (has_control || colon == text.npos || colon == 0) return std::nullopt;
  return NamedPassword{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
