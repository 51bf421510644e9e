#include "proxy/exposition.hpp"

#include <charconv>
#include <cstddef>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {
namespace {

/// The length of the UTF-8 sequence that begins at `at`, or 0 if there is none (RFC 3629 4).
std::size_t sequence_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return byte(i) >= low && byte(i) <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  // Neither overlong forms, nor surrogates, nor what is past U+10FFFF.
  if (first >= 0xe0 && first <= 0xef) return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4)
    return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

void append_label_value(std::string& out, std::string_view value) {
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t size = sequence_at(value, at);
    if (value[at] == '\\') out += "\\\\";
    else if (value[at] == '"') out += "\\\"";
    else if (value[at] == '\n') out += "\\n";
    else if (size == 0) out += "\xef\xbf\xbd";
    else out.append(value, at, size);
    at += size == 0 ? 1 : size;
  }
}

constexpr std::string_view type_names[] = {"counter", "gauge", "histogram", "info"};

std::string_view without(std::string_view name, std::string_view end) {
  return name.ends_with(end) ? name.substr(0, name.size() - end.size()) : name;
}

}  // namespace

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  std::string_view family = name;
  std::string_view type_name = type_names[static_cast<int>(type)];
  if (format_ == Format::openmetrics) {
    if (type == Type::counter) family = without(name, "_total");
    if (type == Type::info) family = without(name, "_info");
  } else if (type == Type::info) {
    type_name = type_names[static_cast<int>(Type::gauge)];
  }
  text_.append("# HELP ").append(family).append(" ").append(help);
  text_.append("\n# TYPE ").append(family).append(" ").append(type_name).append("\n");
}

void Exposition::begin_sample(std::string_view suffix, Labels labels) {
  text_.append(name_).append(suffix);
  char separator = '{';
  for (const auto& [name, value] : labels) {
    text_.append(1, separator).append(name).append("=\"");
    append_label_value(text_, value);
    text_ += '"';
    separator = ',';
  }
  if (separator == ',') text_ += '}';
}

template <class T>
void Exposition::end_sample(T value) {
  char digits[40];
  text_.append(" ").append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr).append("\n");
}

void Exposition::sample(std::string_view suffix, Labels labels, std::uint64_t value) {
  begin_sample(suffix, labels);
  end_sample(value);
}
void Exposition::sample(std::string_view suffix, Labels labels, std::int64_t value) {
  begin_sample(suffix, labels);
  end_sample(value);
}
void Exposition::sample(std::string_view suffix, Labels labels, double value) {
  begin_sample(suffix, labels);
  end_sample(value);
}

std::string Exposition::take() {
  if (format_ == Format::openmetrics) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
