#include "proxy/template.hpp"

#include "h1/rules.hpp"

#include <gw/path.hpp>

#include <algorithm>
#include <array>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

// Whether every escape of `text` is whole, and none stands for what is refused in paths.
bool has_good_escapes(std::string_view text) {
  for (std::size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 1)) {
    const int byte = detail::escaped_byte(text, at);
    if (byte < 0 || detail::is_forbidden_in_path(byte)) return false;
  }
  return true;
}

// Whether a segment is "." or "..", escaped or not: normalised, others would go with it.
bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string segment = percent_decode(path.substr(0, end));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

// What is wrong with text between placeholders, or nothing.
std::string text_mistake(std::string_view text, bool may_have_query) {
  for (const char c : text) {
    if (c == '#') return "must not have a \"#\"";
    if (c == '?' && !may_have_query) return "must not have a \"?\"; the query goes on as it is";
    if (c != '?' && detail::path_bytes[static_cast<unsigned char>(c)] == detail::PathByte::bad)
      return "must be visible ASCII without \"\\\"; write other characters as %XX";
  }
  return has_good_escapes(text) ? "" : "has a broken escape, or one of a control";
}

// The scheme at the front, with "://", or nothing.
std::string_view scheme_of(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (text.starts_with(scheme)) return scheme;
  return {};
}

// Where the host of what follows a scheme ends.
std::size_t host_end(std::string_view text) {
  const std::size_t from = text.starts_with("{host}") ? 6 : 0;
  return std::min(text.find_first_of("/?{", from), text.size());
}

// The host of an authority, without its port.
std::string_view host_of(std::string_view authority) {
  const std::size_t bracket = authority.rfind(']');
  return authority.substr(0, authority.find(':', bracket == authority.npos ? 0 : bracket));
}

// Appends a part of a path to a query: there "&", "=", "+" and ";" would mean something.
void append_to_query(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    if (c == '&' || c == '=' || c == '+' || c == ';') out.append({'%', digits[static_cast<std::size_t>(c) / 16], digits[static_cast<std::size_t>(c) % 16]});
    else out += c;
  }
}

}  // namespace

std::string Template::mistake(std::string_view text, Use use, const std::vector<std::string>& names, bool has_rest) {
  const bool is_location = use == Use::location;
  if (is_location) {
    if (const std::string_view scheme = scheme_of(text); !scheme.empty()) {
      text.remove_prefix(scheme.size());
      std::string authority(text.substr(0, host_end(text)));
      if (authority.starts_with("{host}")) authority.replace(0, 6, "host");
      if (!h1::is_authority(authority)) return "must have a host behind \"" + std::string(scheme) + "\", as in \"https://example.com/\" or \"https://{host}{path}\"";
      text.remove_prefix(host_end(text));
      if (text.empty() || text.front() == '?') return text_mistake(text, true);
    }
  }
  if (text.starts_with("//")) return "must not start with \"//\"";
  if (!text.starts_with('/') && !text.starts_with('{')) return is_location ? "must start with \"/\", \"http://\" or \"https://\"" : "must start with \"/\"";

  bool may_have_query = is_location;
  std::string shape;  // a letter for each placeholder
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('{'), text.size());
    const std::string_view between = text.substr(0, open);
    if (between.find('}') != between.npos) return "has a brace without its partner";
    if (std::string what = text_mistake(between, may_have_query); !what.empty()) return what;
    shape += between;
    text.remove_prefix(open);
    if (text.empty()) break;
    shape += 'x';
    const std::size_t close = text.find('}');
    if (close == text.npos) return "has a brace without its partner";
    const std::string_view name = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (name == "path" || (name == "rest" && has_rest) || std::find(names.begin(), names.end(), name) != names.end()) continue;
    std::string known;
    for (const std::string& n : names) known += '{' + n + "}, ";
    if (has_rest) known += "{rest}, ";
    return "has \"{" + std::string(name) + "}\", which stands for nothing; here are " + known + "{path}";
  }
  if (has_dot_segment(std::string_view(shape).substr(0, shape.find('?')))) return "must not have \".\" or \"..\" between slashes";
  return {};
}

Template::Template(std::string_view text, Use use, const std::vector<std::string>& names) {
  if (use == Use::location) {
    const std::string_view scheme = scheme_of(text);
    scheme_ = scheme;
    text.remove_prefix(scheme.size());
    if (!scheme.empty()) {
      const std::size_t end = host_end(text);
      std::string_view host = text.substr(0, end);
      text.remove_prefix(end);
      if (host.starts_with("{host}")) {
        host_.push_back({Kind::host, {}});
        host.remove_prefix(6);
      }
      if (!host.empty()) host_.push_back({Kind::text, std::string(host)});
    }
  }
  // Placeholders have no "?", so the first one begins the query.
  const std::size_t mark = std::min(text.find('?'), text.size());
  path_ = parse(text.substr(0, mark), names);
  if (mark < text.size()) query_ = parse(text.substr(mark), names);
}

Template::Parts Template::parse(std::string_view text, const std::vector<std::string>& names) {
  Parts parts;
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('{'), text.size());
    if (open > 0) parts.push_back({Kind::text, std::string(text.substr(0, open))});
    text.remove_prefix(open);
    if (text.empty()) break;
    const std::size_t close = text.find('}');
    GW_ASSERT(close != text.npos);
    const std::string_view name = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    const auto parameter = std::find(names.begin(), names.end(), name);
    if (parameter != names.end()) parts.push_back({Kind::parameter, {}, static_cast<std::size_t>(parameter - names.begin())});
    else parts.push_back({name == "rest" ? Kind::rest : Kind::path, {}});
  }
  return parts;
}

std::string_view Template::value_of(const Part& part, const TemplateValues& values) {
  switch (part.kind) {
    case Kind::text: return part.text;
    case Kind::parameter: return part.index < values.params.size() ? values.params.at(part.index).value : std::string_view{};
    case Kind::rest: return values.rest;
    case Kind::path: return values.path;
    case Kind::host: return host_of(values.authority);
  }
  return {};
}

bool Template::append_path(std::string& out, const TemplateValues& values) const {
  const std::size_t begin = out.size();
  for (const Part& part : path_) out += value_of(part, values);
  // With nothing at the front, or more than one slash, it would be another host, or no path.
  const std::size_t slashes = std::min(out.find_first_not_of('/', begin), out.size()) - begin;
  if (slashes != 1) out.replace(begin, slashes, 1, '/');
  // Pieces that the client has chosen must not climb out of what the template puts around them.
  std::string scratch;
  const std::optional<std::string_view> normal = normalize_path(std::string_view(out).substr(begin), scratch, values.path.find("//") != std::string_view::npos);
  if (!normal || (normal->data() == scratch.data() && has_dot_segment(std::string_view(out).substr(begin)))) return false;
  if (normal->data() == scratch.data()) out.replace(begin, std::string::npos, *normal);
  return true;
}

bool Template::append_location(std::string& out, const TemplateValues& values) const {
  out += scheme_;
  const std::size_t before_host = out.size();
  for (const Part& part : host_) out += value_of(part, values);
  if (!scheme_.empty() && (out.size() == before_host || out[before_host] == ':')) return false;
  if (!append_path(out, values)) return false;
  const std::size_t before_query = out.size();
  for (const Part& part : query_) {
    if (part.kind == Kind::text) out += part.text;
    else append_to_query(out, value_of(part, values));
  }
  return has_good_escapes(std::string_view(out).substr(before_query));
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
