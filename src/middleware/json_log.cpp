#include "middleware/json_log.hpp"

#include <algorithm>
#include <cstring>

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

using namespace std::chrono;

/// How many bytes the character of UTF-8 at the front of `text` has; 0: what is there is none (RFC 3629 4).
std::size_t length_of_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0), second = byte(1);
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool is_short = first == 0xe0 && second < 0xa0, is_surrogate = first == 0xed && second > 0x9f;
    return follows(1) && follows(2) && !is_short && !is_surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool is_short = first == 0xf0 && second < 0x90, is_large = first == 0xf4 && second > 0x8f;
    return follows(1) && follows(2) && follows(3) && !is_short && !is_large ? 4 : 0;
  }
  return 0;
}

/// What fields other than texts have room for without asking: a number with its fraction, a time, null.
constexpr std::size_t short_value = 32;

char* put_null(char* to) { return put(to, "null"); }

/// Null for what is not known.
char* put_text(LogText& out, char* to, std::string_view text) { return text.empty() ? put_null(to) : put_json_string(out, to, text); }

/// Whether the field is called `name`.
[[gnu::noinline]] bool is_called(const Headers::Field& field, std::string_view name) { return iequals(field.name, name); }

/// Several values of a header, as one list.
char* put_list(LogText& out, char* to, const Headers& headers, std::string_view name) {
  std::string all;
  std::string_view between;
  for (const Headers::Field& field : headers) {
    if (!iequals(field.name, name)) continue;
    all.append(between).append(field.value);
    between = ", ";
  }
  return put_json_string(out, to, all);
}

/// Every value of the header, as one list.
char* put_header(LogText& out, char* to, const Headers& headers, std::string_view name) {
  const Headers::Field* only = nullptr;
  for (const Headers::Field& field : headers) {
    // Most names differ in their length, which costs less to see; the rest of the comparison would fill the loop's registers.
    if (field.name.size() != name.size() || !is_called(field, name)) continue;
    if (only) return put_list(out, to, headers, name);
    only = &field;
  }
  return only ? put_json_string(out, to, only->value) : put_null(to);
}

/// The id of a request, which has plain bytes alone.
char* put_id(LogText& out, char* to, const Context& c) {
  to = out.room(to, ContextAccess::longest_id + 2);
  *to++ = '"';
  to = ContextAccess::put_id(c, to);
  *to++ = '"';
  return to;
}

constexpr std::string_view name_of_version(Version version) { return version == Version::http10 ? "HTTP/1.0" : "HTTP/1.1"; }

/// Headers that may hold credentials; a log is read by more people than may have them.
constexpr std::string_view secret_headers[] = {"authorization", "proxy-authorization", "cookie", "x-api-key"};

constexpr std::string_view default_fields[] = {"time",   "client", "consumer", "method",  "host",       "target",  "route",
                                               "status", "bytes",  "duration", "failure", "request_id", "referer", "user_agent"};

/// Writes the milliseconds of a second, and what ends a time.
char* put_milliseconds(char* to, unsigned milliseconds) {
  *to++ = static_cast<char>('0' + milliseconds / 100);
  to = put_two_digits(to, milliseconds % 100);
  *to++ = 'Z';
  return to;
}

/// `put_json_time` in quotes, worked out once per second and thread but for the milliseconds.
char* put_cached_time(char* to, system_clock::time_point time) {
  thread_local sys_seconds last = sys_seconds::min();
  thread_local std::array<char, json_time_size> text;
  const auto second = floor<seconds>(time);
  if (last != second) {
    put_json_time(text.data(), second);
    last = second;
  }
  *to++ = '"';
  to = put(to, {text.data(), json_time_size - std::string_view("123Z").size()});
  to = put_milliseconds(to, static_cast<unsigned>(floor<milliseconds>(time - second).count()));
  *to++ = '"';
  return to;
}

/// Writes what stands for the first byte of `text`, which is not plain, and drops what it has read: a character of UTF-8 or that byte.
char* put_special(char* to, std::string_view& text) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto c = static_cast<unsigned char>(text.front());
  if (const std::size_t length = c < 0x80 ? 0 : length_of_character(text); length > 0) {
    to = std::copy_n(text.data(), length, to);
    text.remove_prefix(length);
    return to;
  }
  text.remove_prefix(1);
  if (c >= 0x80) return std::copy_n("\\ufffd", 6, to);
  *to++ = '\\';
  if (c == '"' || c == '\\') {
    *to++ = static_cast<char>(c);
    return to;
  }
  // DEL may stand for itself in JSON, but would reach a terminal.
  for (const char escaped : {'u', '0', '0', digits[c >> 4], digits[c & 15]}) *to++ = escaped;
  return to;
}

/// Writes a text byte by byte. Apart from what most texts need, which then saves no registers.
[[gnu::noinline]] char* put_escaped(char* to, std::string_view text) {
  while (!text.empty()) {
    if (!is_plain(text.front())) {
      to = put_special(to, text);
      continue;
    }
    *to++ = text.front();
    text.remove_prefix(1);
  }
  return to;
}

}  // namespace

char* put_json_string(LogText& out, char* to, std::string_view text) {
  to = out.room(to, 6 * text.size() + 2);
  *to++ = '"';
  to = copy_plain(to, text) ? to + text.size() : put_escaped(to, text);
  *to++ = '"';
  return to;
}

void append_json_string(std::string& out, std::string_view text) {
  LogText made;
  made.take(put_json_string(made, made.end(), text));
  out += made.view();
}

char* put_json_time(char* to, sys_time<milliseconds> time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  to = put_two_digits(to, year / 100);
  const auto part = [&](unsigned number, char end) {
    to = put_two_digits(to, number);
    *to++ = end;
  };
  part(year % 100, '-');
  part(static_cast<unsigned>(date.month()), '-');
  part(static_cast<unsigned>(date.day()), 'T');
  part(static_cast<unsigned>(clock.hours().count()), ':');
  part(static_cast<unsigned>(clock.minutes().count()), ':');
  part(static_cast<unsigned>(clock.seconds().count()), '.');
  return put_milliseconds(to, static_cast<unsigned>(clock.subseconds().count()));
}

char* put_seconds(char* to, nanoseconds time) {
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration_cast<microseconds>(time).count()));
  to = put_number(to, micros / 1'000'000);
  const auto rest = static_cast<unsigned>(micros % 1'000'000);
  *to++ = '.';
  return put_two_digits(put_two_digits(put_two_digits(to, rest / 10'000), rest / 100 % 100), rest % 100);
}

JsonLine::JsonLine(const std::vector<std::string>& names) {
  struct Known {
    std::string_view name;
    char* (*put)(LogText&, char*, const Context&, const Field&);
  };
  static constexpr Known known[] = {
      {"time", [](auto&, char* to, auto& c, auto&) { return put_cached_time(to, c.started()); }},
      {"client", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, c.client_address()); }},
      {"consumer", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, c.consumer()); }},
      {"method", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, to_string(c.req.method)); }},
      {"protocol", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, name_of_version(c.req.version)); }},
      {"host", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, c.req.authority()); }},
      {"target", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, c.req.target()); }},
      {"path", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, c.req.path()); }},
      {"route", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, c.route()); }},
      {"status", [](auto&, char* to, auto& c, auto&) { return put_number(to, static_cast<std::uint64_t>(c.final_status())); }},
      {"bytes", [](auto&, char* to, auto& c, auto&) { return put_number(to, c.bytes_sent()); }},
      {"bytes_received", [](auto&, char* to, auto& c, auto&) { return put_number(to, c.bytes_received()); }},
      {"duration", [](auto&, char* to, auto& c, auto&) { return put_seconds(to, c.elapsed()); }},
      {"failure", [](auto& out, char* to, auto& c, auto&) { return put_text(out, to, c.failure() ? name_of(c.failure()->code) : ""); }},
      {"request_id", [](auto& out, char* to, auto& c, auto&) { return put_id(out, to, c); }},
      {"referer", [](auto& out, char* to, auto& c, auto&) { return put_header(out, to, c.req.headers, "Referer"); }},
      {"user_agent", [](auto& out, char* to, auto& c, auto&) { return put_header(out, to, c.req.headers, "User-Agent"); }},
  };
  constexpr std::string_view of_header = "header:";

  Problems problems;
  const auto report = [&](std::string what) { problems.push_back({Place{{}, 0, 0, "fields"}, std::move(what)}); };
  std::vector<std::string> wanted = names;
  if (wanted.empty()) wanted.assign(std::begin(default_fields), std::end(default_fields));
  for (const std::string& name : wanted) {
    Field field{fields_.empty() ? "{" : ",", 0, nullptr, {}};
    append_json_string(field.key, name);
    field.key += ':';
    field.key_size = field.key.size();
    field.key.resize((field.key_size + key_block - 1) / key_block * key_block);
    if (std::any_of(fields_.begin(), fields_.end(), [&](const Field& f) { return f.key.substr(1) == field.key.substr(1); }))
      report("the field " + name + " is there twice");
    if (std::string_view(name).starts_with(of_header)) {
      field.header = name.substr(of_header.size());
      field.put = [](LogText& out, char* to, const Context& c, const Field& f) { return put_header(out, to, c.req.headers, f.header); };
      if (!is_token(field.header)) report('"' + field.header + "\" is not a header name");
      for (std::string_view secret : secret_headers)
        if (iequals(field.header, secret)) report(field.header + " holds credentials, which do not belong into a log");
    } else {
      const auto found = std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return k.name == name; });
      if (found != std::end(known)) field.put = found->put;
      else report("the access log has no field \"" + name + '"');
    }
    fields_.push_back(std::move(field));
  }
  if (!problems.empty()) throw ConfigError(std::move(problems));
}

void JsonLine::put(LogText& out, const Context& c) const {
  char* to = out.end();
  for (const Field& field : fields_) {
    to = out.room(to, field.key.size() + short_value);
    // At least once, which is all that most need.
    std::size_t i = 0;
    do std::memcpy(to + i, field.key.data() + i, key_block);
    while ((i += key_block) < field.key_size);
    to = field.put(out, to + field.key_size, c, field);
  }
  out.take(detail::put(out.room(to, 2), "}\n"));
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
