#include "config/masking.hpp"

#include <gw/http.hpp>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cstddef>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

namespace rapid = RAPIDJSON_NAMESPACE;
using Writer = rapid::Writer<rapid::StringBuffer>;

constexpr std::string_view secret_words[] = {"auth",       "cookie", "credential", "hash",   "jwt",   "key",  "passphrase",
                                             "passwd",     "password", "private",    "secret", "session", "sign", "token", "user"};

void write_text(Writer& out, std::string_view text) { out.String(text.data(), static_cast<rapid::SizeType>(text.size())); }

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 16 && (text == "0" || text[0] != '0') && text.find_first_not_of("0123456789") == text.npos;
}

void write(Writer& out, const Node& node, bool is_secret) {
  if (is_secret && node.kind != Node::Kind::null) return write_text(out, masked);
  switch (node.kind) {
    case Node::Kind::mapping:
      out.StartObject();
      for (std::size_t i = 0; i < node.keys.size(); ++i) {
        out.Key(node.keys[i].text.data(), static_cast<rapid::SizeType>(node.keys[i].text.size()));
        write(out, node.elements[i], is_secret_name(node.keys[i].text));
      }
      out.EndObject();
      break;
    case Node::Kind::sequence:
      out.StartArray();
      for (const Node& element : node.elements) write(out, element, false);
      out.EndArray();
      break;
    case Node::Kind::scalar:
      if (!node.is_quoted && (node.text == "true" || node.text == "false")) out.Bool(node.text == "true");
      else if (!node.is_quoted && is_number(node.text)) out.RawValue(node.text.data(), node.text.size(), rapid::kNumberType);
      else write_text(out, without_credentials(node.text));
      break;
    case Node::Kind::null:
    case Node::Kind::invalid:
      out.Null();
  }
}

}  // namespace

bool is_secret_name(std::string_view name) {
  return std::any_of(std::begin(secret_words), std::end(secret_words), [&](std::string_view word) {
    for (std::size_t i = 0; i + word.size() <= name.size(); ++i)
      if (iequals(name.substr(i, word.size()), word)) return true;
    return false;
  });
}

std::string without_credentials(std::string_view text) {
  std::string shown;
  for (;;) {
    const std::size_t authority = text.find("//");
    if (authority == text.npos) return shown.append(text);
    const std::size_t begin = authority + 2;
    const std::size_t end = std::min(text.find_first_of("/?# \t", begin), text.size());
    const std::size_t at = text.substr(0, end).rfind('@');
    shown.append(text, 0, begin);
    if (at != text.npos && at >= begin) shown.append(masked).append(text, at, end - at);
    else shown.append(text, begin, end - begin);
    text.remove_prefix(end);
  }
}

std::string masked_json(std::string_view name, const Node& options) {
  rapid::StringBuffer buffer;
  Writer out(buffer);
  if (is_secret_name(name) && options.kind == Node::Kind::mapping) {
    // What their options are called is not secret, at least not the first level.
    out.StartObject();
    for (const Node::Key& key : options.keys) {
      out.Key(key.text.data(), static_cast<rapid::SizeType>(key.text.size()));
      write_text(out, masked);
    }
    out.EndObject();
  } else {
    write(out, options, is_secret_name(name));
  }
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace config
}  // namespace v0
}  // namespace gw
