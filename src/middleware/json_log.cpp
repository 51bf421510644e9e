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

void put_null(LogLine& line) { line.put("null"); }

/// Null for what is not known.
void put_text(LogLine& line, std::string_view text) {
  if (text.empty()) put_null(line);
  else put_json_string(line, text);
}

/// A text of which every byte stands for itself; null if it is empty.
void put_plain(LogLine& line, std::string_view text) {
  if (text.empty()) return put_null(line);
  char* to = line.room(text.size() + 2);
  *to++ = '"';
  std::memcpy(to, text.data(), text.size());
  to += text.size();
  *to++ = '"';
  line.take(to);
}

/// Several values of a header, as one list.
void put_list(LogLine& line, const Headers& headers, std::string_view name) {
  std::string all;
  std::string_view between;
  for (const Headers::Field& field : headers) {
    if (!iequals(field.name, name)) continue;
    all.append(between).append(field.value);
    between = ", ";
  }
  put_json_string(line, all);
}

/// Every value of the header, as one list.
void put_header(LogLine& line, const Headers& headers, std::string_view name) {
  const Headers::Field* only = nullptr;
  for (const Headers::Field& field : headers) {
    // Most names differ in their length, which costs less to see.
    if (field.name.size() != name.size() || !iequals(field.name, name)) continue;
    if (only) return put_list(line, headers, name);
    only = &field;
  }
  if (only) put_json_string(line, only->value);
  else put_null(line);
}

/// Headers that may hold credentials; a log is read by more people than may have them.
constexpr std::string_view secret_headers[] = {"authorization", "proxy-authorization", "cookie", "x-api-key"};

constexpr std::string_view default_fields[] = {"time",   "client", "consumer", "method",  "host",       "target",  "route",
                                               "status", "bytes",  "duration", "failure", "request_id", "referer", "user_agent"};

constexpr std::size_t time_size = std::string_view("2026-10-10T13:55:36.123Z").size();

/// Writes the milliseconds of a second, and what ends a time.
char* put_milliseconds(char* to, unsigned milliseconds) {
  *to++ = static_cast<char>('0' + milliseconds / 100);
  to = put_two_digits(to, milliseconds % 100);
  *to++ = 'Z';
  return to;
}

/// `put_json_time` in quotes, worked out once per second and thread but for the milliseconds.
void put_cached_time(LogLine& line, system_clock::time_point time) {
  thread_local sys_seconds last = sys_seconds::min();
  thread_local std::array<char, time_size + 2> text;
  const auto second = floor<seconds>(time);
  if (last != second) {
    LogLine made;
    put_json_time(made, second);
    text.front() = text.back() = '"';
    std::memcpy(&text[1], made.text().data(), time_size);
    last = second;
  }
  put_milliseconds(&text[1 + time_size - 4], static_cast<unsigned>(floor<milliseconds>(time - second).count()));
  line.put({text.data(), text.size()});
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

}  // namespace

void put_json_string(LogLine& line, std::string_view text) {
  char* to = line.room(6 * text.size() + 2);
  *to++ = '"';
  for (;;) {
    const std::size_t plain = copy_plain(to, text);
    to += plain;
    if (plain == text.size()) break;
    text.remove_prefix(plain);
    to = put_special(to, text);
  }
  *to++ = '"';
  line.take(to);
}

void append_json_string(std::string& out, std::string_view text) {
  LogLine line;
  put_json_string(line, text);
  out += line.text();
}

void put_json_time(LogLine& line, sys_time<milliseconds> time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  char* to = put_two_digits(line.room(time_size), year / 100);
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
  line.take(put_milliseconds(to, static_cast<unsigned>(clock.subseconds().count())));
}

void put_seconds(LogLine& line, nanoseconds time) {
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration_cast<microseconds>(time).count()));
  line.put_number(micros / 1'000'000);
  const auto rest = static_cast<unsigned>(micros % 1'000'000);
  char* to = line.room(7);
  *to++ = '.';
  line.take(put_two_digits(put_two_digits(put_two_digits(to, rest / 10'000), rest / 100 % 100), rest % 100));
}

JsonLine::JsonLine(const std::vector<std::string>& names) {
  struct Known {
    std::string_view name;
    void (*put)(LogLine&, const Context&, const Field&);
  };
  static constexpr Known known[] = {
      {"time", [](LogLine& line, const Context& c, const Field&) { put_cached_time(line, c.started()); }},
      {"client", [](LogLine& line, const Context& c, const Field&) { put_plain(line, c.client_address()); }},
      {"consumer", [](LogLine& line, const Context& c, const Field&) { put_text(line, c.consumer()); }},
      {"method", [](LogLine& line, const Context& c, const Field&) { put_plain(line, to_string(c.req.method)); }},
      {"protocol", [](LogLine& line, const Context& c, const Field&) { put_plain(line, c.req.version == Version::http10 ? "HTTP/1.0" : "HTTP/1.1"); }},
      {"host", [](LogLine& line, const Context& c, const Field&) { put_text(line, c.req.authority()); }},
      {"target", [](LogLine& line, const Context& c, const Field&) { put_text(line, c.req.target()); }},
      {"path", [](LogLine& line, const Context& c, const Field&) { put_text(line, c.req.path()); }},
      {"route", [](LogLine& line, const Context& c, const Field&) { put_text(line, c.route()); }},
      {"status", [](LogLine& line, const Context& c, const Field&) { line.put_number(static_cast<std::uint64_t>(c.final_status())); }},
      {"bytes", [](LogLine& line, const Context& c, const Field&) { line.put_number(c.bytes_sent()); }},
      {"bytes_received", [](LogLine& line, const Context& c, const Field&) { line.put_number(c.bytes_received()); }},
      {"duration", [](LogLine& line, const Context& c, const Field&) { put_seconds(line, c.elapsed()); }},
      {"failure", [](LogLine& line, const Context& c, const Field&) { put_plain(line, c.failure() ? name_of(c.failure()->code) : ""); }},
      {"request_id", [](LogLine& line, const Context& c, const Field&) { put_plain(line, c.id()); }},
      {"referer", [](LogLine& line, const Context& c, const Field&) { put_header(line, c.req.headers, "referer"); }},
      {"user_agent", [](LogLine& line, const Context& c, const Field&) { put_header(line, c.req.headers, "user-agent"); }},
  };
  constexpr std::string_view of_header = "header:";

  Problems problems;
  const auto report = [&](std::string what) { problems.push_back({Place{{}, 0, 0, "fields"}, std::move(what)}); };
  std::vector<std::string> wanted = names;
  if (wanted.empty()) wanted.assign(std::begin(default_fields), std::end(default_fields));
  for (const std::string& name : wanted) {
    Field field{fields_.empty() ? "{" : ",", nullptr, {}, {}};
    append_json_string(field.key, name);
    if (std::any_of(fields_.begin(), fields_.end(), [&](const Field& f) { return f.key.substr(1) == field.key.substr(1) + ':'; }))
      report("the field " + name + " is there twice");
    field.key += ':';
    if (field.key.size() <= field.short_key.size()) std::copy(field.key.begin(), field.key.end(), field.short_key.begin());
    if (std::string_view(name).starts_with(of_header)) {
      field.header = name.substr(of_header.size());
      field.put = [](LogLine& line, const Context& c, const Field& f) { put_header(line, c.req.headers, f.header); };
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

void JsonLine::put(LogLine& line, const Context& c) const {
  for (const Field& field : fields_) {
    if (field.key.size() <= field.short_key.size()) {
      char* const to = line.room(field.short_key.size());
      std::memcpy(to, field.short_key.data(), field.short_key.size());
      line.take(to + field.key.size());
    } else {
      line.put(field.key);
    }
    field.put(line, c, field);
  }
  line.put("}\n");
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
