#include "config/actions.hpp"

#include "config/hash_key.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

namespace json = RAPIDJSON_NAMESPACE;

constexpr std::string_view json_type = "application/json";

/// Whether `text` is a number of JSON (RFC 8259 6).
bool is_json_number(std::string_view text) {
  const auto digits = [&] {
    const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(end);
    return end;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool has_zero = text.starts_with('0');
  const std::size_t whole = digits();
  if (whole == 0 || (has_zero && whole > 1)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

using Writer = json::Writer<json::StringBuffer>;

void write_text(Writer& writer, const std::string& text) { writer.String(text.data(), static_cast<json::SizeType>(text.size())); }

void write(Writer& writer, const Node& node) {
  switch (node.kind) {
    case Node::Kind::null: case Node::Kind::invalid: writer.Null(); break;
    case Node::Kind::scalar:
      if (node.is_quoted) write_text(writer, node.text);
      else if (node.text == "true" || node.text == "false") writer.Bool(node.text == "true");
      else if (is_json_number(node.text)) writer.RawValue(node.text.data(), node.text.size(), json::kNumberType);
      else write_text(writer, node.text);
      break;
    case Node::Kind::sequence:
      writer.StartArray();
      for (const Node& element : node.elements) write(writer, element);
      writer.EndArray();
      break;
    case Node::Kind::mapping:
      writer.StartObject();
      for (std::size_t i = 0; i < node.keys.size(); ++i) {
        write_text(writer, node.keys[i].text);
        write(writer, node.elements[i]);
      }
      writer.EndObject();
      break;
  }
}

/// Three digits without quotation marks.
bool is_status(const Value& value) {
  const Node& node = value.node();
  return value.is_scalar() && !node.is_quoted && node.text.size() == 3 && node.text.find_first_not_of("0123456789") == node.text.npos;
}

void read_split(const Value& value, std::vector<SplitPart>& out) {
  const std::size_t before = value.problem_count();
  value.each_entry("a map of upstreams and their weights", [&](const Node::Key& name, const Value& weight) {
    Place place = weight.place();
    place.line = name.line;
    place.column = name.column;
    if (std::string what = forward_mistake(name.text); !what.empty()) weight.problem_at(std::move(place), std::move(what));
    SplitPart& part = out.emplace_back(SplitPart{name.text});
    read_number(weight, part.weight, bounds::weight);
  });
  if (value.problem_count() > before) return;
  if (std::string what = split_mistake(out); !what.empty()) value.problem(std::move(what));
}

constexpr Key<ForwardConfig> forward_keys[] = {
    {"split", [](const Value& v, ForwardConfig& f) { read_split(v, f.split); }},
    {"hash", [](const Value& v, ForwardConfig& f) { f.hash = read_hash(v); }},
    {"chosen_by", [](const Value& v, ForwardConfig& f) { f.chosen_by = read_hash_field(v); }},
};

void read_status(const Value& value, int& out) { read_number(value, out, bounds::status); }

constexpr Key<RedirectConfig> redirect_keys[] = {
    {"to", [](const Value& v, RedirectConfig& r) { read(v, r.to); }},
    {"status", [](const Value& v, RedirectConfig& r) { read_status(v, r.status); }},
    {"keep_query", [](const Value& v, RedirectConfig& r) { read(v, r.keep_query); }},
};

void set_content(const Value& value, ReplyConfig& reply, std::string content) {
  if (reply.content) return value.problem("a reply has either text or json");
  reply.content = std::move(content);
}

void read_reply_headers(const Value& map, ReplyConfig& reply) {
  map.each_entry("a map of header names and values", [&](const Node::Key& name, const Value& value) {
    const auto take = [&](const Value& one) {
      if (const auto text = one.text_or_empty()) reply.headers.emplace_back(name.text, *text);
    };
    if (value.is_sequence()) value.each_element("a list of values", take);
    else take(value);
  });
}

constexpr Key<ReplyConfig> reply_keys[] = {
    {"status", [](const Value& v, ReplyConfig& r) { read_status(v, r.status); }},
    {"text",
     [](const Value& v, ReplyConfig& r) {
       if (const auto text = v.lines()) set_content(v, r, std::string(*text));
     }},
    {"json",
     [](const Value& v, ReplyConfig& r) {
       set_content(v, r, json_text(v.node()));
       r.content_type = json_type;
     }},
    {"headers", read_reply_headers},
};

}  // namespace

std::string json_text(const Node& node) {
  json::StringBuffer buffer;
  Writer writer(buffer);
  write(writer, node);
  return {buffer.GetString(), buffer.GetSize()};
}

void read_forward(const Value& value, ForwardConfig& out) {
  out.place = value.place();
  if (!value.is_mapping()) return read_checked(value, out.to, forward_mistake);
  const bool all_known = read_map(value, out, forward_keys);
  if (value.has("split")) return;
  const bool has_hash = value.key_problem("hash", stray_forward_hash);
  const bool has_chosen_by = value.key_problem("chosen_by", stray_chosen_by);
  if (all_known && !has_hash && !has_chosen_by) value.problem("split is missing");
}

void read_rewrite(const Value& value, RewriteConfig& out) {
  out.place = value.place();
  read(value, out.to);
}

void read_redirect(const Value& value, RedirectConfig& out) {
  out.place = value.place();
  if (!value.is_mapping()) return read(value, out.to);
  if (read_map(value, out, redirect_keys) && !value.has("to")) value.problem("to is missing");
}

void read_reply(const Value& value, ReplyConfig& out) {
  out.place = value.place();
  if (value.is_mapping()) read_map(value, out, reply_keys);
  else if (is_status(value)) read_status(value, out.status);
  else if (const auto text = value.lines()) out.content = *text;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
