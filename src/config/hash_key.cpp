#include "config/hash_key.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

void read_name(const Value& value, HashKey& out, HashKey::Kind kind) {
  if (!out.name.empty()) return value.problem("either a header or a cookie");
  const auto name = value.text();
  if (!name) return;
  HashKey key{kind, std::string(*name)};
  if (std::string what = hash_mistake(key); !what.empty())
    value.problem(std::move(what));
  else
    out = std::move(key);
}

constexpr Key<HashKey> field_keys[] = {
    {"header", [](const Value& v, HashKey& k) { read_name(v, k, HashKey::Kind::header); }},
    {"cookie", [](const Value& v, HashKey& k) { read_name(v, k, HashKey::Kind::cookie); }},
};

}  // namespace

std::optional<HashKey> read_hash(const Value& value) {
  if (value.is_mapping()) return read_hash_field(value);
  const auto name = value.text();
  if (!name) return std::nullopt;
  const auto found = std::find(hash_names.begin(), hash_names.end(), *name);
  if (found != hash_names.end()) return HashKey{static_cast<HashKey::Kind>(found - hash_names.begin())};
  value.problem("expected client_address, path, {header: NAME} or {cookie: NAME}, found " + quote(*name) + did_you_mean(*name, hash_names));
  return std::nullopt;
}

std::optional<HashKey> read_hash_field(const Value& value) {
  if (!value.is_mapping()) {
    value.expected("{header: NAME} or {cookie: NAME}");
    return std::nullopt;
  }
  const std::size_t before = value.problem_count();
  HashKey key;
  const bool all_known = read_map(value, key, field_keys);
  if (all_known && !value.has("header") && !value.has("cookie")) value.problem("header or cookie is missing");
  return value.problem_count() == before ? std::optional(std::move(key)) : std::nullopt;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
