#include "config/auth_stages.hpp"

#include <string>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// Text that may be empty.
void read_or_empty(const Value& value, std::string& out) {
  if (const auto text = value.text_or_empty()) out = *text;
}

constexpr Key<KeyAuthOptions> key_auth_keys[] = {
    {"keys",
     [](const Value& v, KeyAuthOptions& o) {
       v.each_entry("a map of consumers and the SHA-256 of their keys", [&](const Node::Key& consumer, const Value& digests) {
         digests.each_of_one_or_more("a digest or a list of digests", [&](const Value& digest) {
           if (const auto text = digest.text()) o.keys.emplace_back(consumer.text, *text);
         });
       });
     }},
    {"keys_file", [](const Value& v, KeyAuthOptions& o) { read(v, o.keys_file); }},
    {"header", [](const Value& v, KeyAuthOptions& o) { read(v, o.header); }},
    {"query", [](const Value& v, KeyAuthOptions& o) { read(v, o.query); }},
    {"bearer", [](const Value& v, KeyAuthOptions& o) { read(v, o.bearer); }},
    {"consumer_header", [](const Value& v, KeyAuthOptions& o) { read_or_empty(v, o.consumer_header); }},
    {"realm", [](const Value& v, KeyAuthOptions& o) { read(v, o.realm); }},
};

constexpr Key<BasicAuthOptions> basic_auth_keys[] = {
    {"users",
     [](const Value& v, BasicAuthOptions& o) {
       v.each_entry("a map of users and the hashes of their passwords", [&](const Node::Key& user, const Value& hash) {
         if (const auto text = hash.text()) o.users.emplace_back(user.text, *text);
       });
     }},
    {"users_file", [](const Value& v, BasicAuthOptions& o) { read(v, o.users_file); }},
    {"realm", [](const Value& v, BasicAuthOptions& o) { read(v, o.realm); }},
    {"consumer_header", [](const Value& v, BasicAuthOptions& o) { read_or_empty(v, o.consumer_header); }},
    {"forward_credentials", [](const Value& v, BasicAuthOptions& o) { read(v, o.forward_credentials); }},
    {"remember", [](const Value& v, BasicAuthOptions& o) { read(v, o.remember); }},
    {"verifications", [](const Value& v, BasicAuthOptions& o) { read_number(v, o.verifications, Bounds{1, 1'000'000}); }},
};

}  // namespace

std::optional<Stage> make_key_auth(const Value* options, const World& world) {
  KeyAuthOptions read_options;
  if (options && !read_options_of(*options, read_options, key_auth_keys)) return std::nullopt;
  return world.make_key_auth(std::move(read_options));
}

std::optional<Stage> make_basic_auth(const Value* options, const World& world) {
  BasicAuthOptions read_options;
  if (options && !read_options_of(*options, read_options, basic_auth_keys)) return std::nullopt;
  return world.make_basic_auth(std::move(read_options));
}

}  // namespace config
}  // namespace v0
}  // namespace gw
