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

}  // namespace

std::optional<Stage> make_key_auth(const Value* options, const World& world) {
  KeyAuthOptions read_options;
  if (options && !read_options_of(*options, read_options, key_auth_keys)) return std::nullopt;
  return world.make_key_auth(std::move(read_options));
}

}  // namespace config
}  // namespace v0
}  // namespace gw
