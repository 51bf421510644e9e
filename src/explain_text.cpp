/// \file
/// Level 5: explanations as text and as JSON.
#include <gw/explain.hpp>

#include "middleware/json_log.hpp"

#include <gw/http.hpp>

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace {

namespace rapid = RAPIDJSON_NAMESPACE;
using Writer = rapid::PrettyWriter<rapid::StringBuffer>;

void key(Writer& out, std::string_view name) { out.Key(name.data(), static_cast<rapid::SizeType>(name.size())); }
// Fields may hold any byte; JSON is UTF-8.
void text(Writer& out, std::string_view value) {
  std::string quoted;
  detail::append_json_string(quoted, value);
  out.RawValue(quoted.data(), quoted.size(), rapid::kStringType);
}

void member(Writer& out, std::string_view name, std::string_view value) {
  key(out, name);
  text(out, value);
}

void member(Writer& out, std::string_view name, const std::vector<std::string>& values) {
  key(out, name);
  out.StartArray();
  for (const std::string& value : values) text(out, value);
  out.EndArray();
}

std::string list(const std::vector<std::string>& values) {
  std::string all;
  for (const std::string& value : values) all += (all.empty() ? "" : ", ") + value;
  return all.empty() ? "none" : all;
}

}  // namespace

std::string Explanation::text() const {
  std::string out = "request   " + request + '\n';
  if (!path.empty()) out += "path      " + path + '\n';
  out += "route     " + (route ? *route : "none") + '\n';
  std::size_t width = 0;
  for (const LostRoute& l : lost) width = std::max(width, l.name.size());
  for (const LostRoute& l : lost)
    out += "  not     " + l.name + std::string(width - l.name.size(), ' ') + "  " + l.lost_on + ": " + l.why + '\n';
  out += "stages    " + list(stages) + '\n';
  if (is_handler) out += "answer    by a handler of the program\n";
  if (status != 0) {
    const std::string_view phrase = reason_phrase(status);
    out += "answer    " + std::to_string(status) + (phrase.empty() ? "" : ' ' + std::string(phrase)) + '\n';
  }
  if (!location.empty()) out += "location  " + location + '\n';
  if (!split.empty()) {
    out += "split     ";
    for (const auto& [name, weight] : split) out += (&name == &split.front().first ? "" : ", ") + name + ' ' + std::to_string(weight);
    if (!split_by.empty()) out += "; by " + split_by;
    out += is_part_decided ? "\n" : "; by chance, here as most of them\n";
  }
  if (!head.empty()) out += "upstream  " + upstream + " (" + list(endpoints) + ")\n\n";
  for (const std::string& line : head) out += "  " + line + '\n';
  return out;
}

std::string Explanation::json() const {
  rapid::StringBuffer buffer;
  Writer out(buffer);
  out.SetIndent(' ', 2);
  out.StartObject();
  member(out, "request", request);
  member(out, "path", path);
  key(out, "route");
  if (route) gw::text(out, *route);
  else out.Null();
  key(out, "lost");
  out.StartArray();
  for (const LostRoute& l : lost) {
    out.StartObject();
    member(out, "name", l.name);
    member(out, "lost_on", l.lost_on);
    member(out, "why", l.why);
    out.EndObject();
  }
  out.EndArray();
  member(out, "stages", stages);
  key(out, "status");
  if (status != 0) out.Int(status);
  else out.Null();
  member(out, "location", location);
  key(out, "is_handler");
  out.Bool(is_handler);
  key(out, "split");
  out.StartArray();
  for (const auto& [name, weight] : split) {
    out.StartObject();
    member(out, "upstream", name);
    key(out, "weight");
    out.Uint(weight);
    out.EndObject();
  }
  out.EndArray();
  key(out, "is_part_decided");
  out.Bool(is_part_decided);
  member(out, "split_by", split_by);
  member(out, "upstream", upstream);
  member(out, "endpoints", endpoints);
  member(out, "head", head);
  out.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + '\n';
}

}  // namespace v0
}  // namespace gw
