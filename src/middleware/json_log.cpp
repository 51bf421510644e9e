#include "middleware/json_log.hpp"

#include "middleware/plain_text.hpp"

#include <algorithm>

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

/// Appends `number` with `digits` digits.
void append_digits(std::string& out, std::uint64_t number, int digits) {
  char text[20];
  for (int i = digits; i-- > 0; number /= 10) text[i] = static_cast<char>('0' + number % 10);
  out.append(text, static_cast<std::size_t>(digits));
}

/// Null for what is not known.
void append_text(std::string& out, std::string_view text) {
  if (text.empty()) out += "null";
  else append_json_string(out, text);
}

/// Every value of the header, as one list.
void append_header(std::string& out, const Headers& headers, std::string_view name) {
  const std::size_t count = headers.count(name);
  if (count == 0) {
    out += "null";
    return;
  }
  if (count == 1) return append_json_string(out, headers[name]);
  std::string all;
  for (const auto& field : headers)
    if (iequals(field.name, name)) all.append(all.empty() ? "" : ", ").append(field.value);
  append_json_string(out, all);
}

/// Headers that may hold credentials; a log is read by more people than may have them.
constexpr std::string_view secret_headers[] = {"authorization", "proxy-authorization", "cookie", "x-api-key"};

constexpr std::string_view default_fields[] = {"time",   "client", "consumer", "method",  "host",       "target",  "route",
                                               "status", "bytes",  "duration", "failure", "request_id", "referer", "user_agent"};

/// `append_json_time` but for the milliseconds, worked out once per second and thread.
void append_cached_time(std::string& out, system_clock::time_point time) {
  thread_local struct {
    sys_seconds time = sys_seconds::min();
    std::string text;
  } last;
  const auto second = floor<seconds>(time);
  if (last.time != second) {
    last.text.clear();
    append_json_time(last.text, second);
    last.text.resize(last.text.size() - 4);  // "000Z"
    last.time = second;
  }
  out += last.text;
  append_digits(out, static_cast<std::uint64_t>(floor<milliseconds>(time - second).count()), 3);
  out += 'Z';
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  std::size_t copied = 0;
  for (std::size_t i = 0; (i = plain_end(text, i)) < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t length = c < 0x80 ? 0 : length_of_character(text.substr(i));
    if (length > 0) {
      i += length;
      continue;
    }
    out.append(text, copied, i - copied);
    // DEL may stand for itself in JSON, but would reach a terminal.
    if (c >= 0x80) out += "\\ufffd";
    else if (c == '"' || c == '\\') out.append({'\\', static_cast<char>(c)});
    else out.append({'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]});
    copied = ++i;
  }
  out.append(text, copied).append(1, '"');
}

void append_json_time(std::string& out, sys_time<milliseconds> time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  append_digits(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_digits(out, static_cast<std::uint64_t>(clock.hours().count()), 2);
  out += ':';
  append_digits(out, static_cast<std::uint64_t>(clock.minutes().count()), 2);
  out += ':';
  append_digits(out, static_cast<std::uint64_t>(clock.seconds().count()), 2);
  out += '.';
  append_digits(out, static_cast<std::uint64_t>(clock.subseconds().count()), 3);
  out += 'Z';
}

void append_seconds(std::string& out, nanoseconds time) {
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration_cast<microseconds>(time).count()));
  append_number(out, micros / 1'000'000);
  out += '.';
  append_digits(out, micros % 1'000'000, 6);
}

JsonLine::JsonLine(const std::vector<std::string>& names) {
  struct Known {
    std::string_view name;
    void (*append)(std::string&, const Context&, const Field&);
  };
  static constexpr Known known[] = {
      {"time", [](std::string& out, const Context& c, const Field&) { append_cached_time(out.append(1, '"'), c.started()), out += '"'; }},
      {"client", [](std::string& out, const Context& c, const Field&) { append_text(out, c.client_address()); }},
      {"consumer", [](std::string& out, const Context& c, const Field&) { append_text(out, c.consumer()); }},
      {"method", [](std::string& out, const Context& c, const Field&) { append_text(out, to_string(c.req.method)); }},
      {"protocol", [](std::string& out, const Context& c, const Field&) { out += c.req.version == Version::http10 ? "\"HTTP/1.0\"" : "\"HTTP/1.1\""; }},
      {"host", [](std::string& out, const Context& c, const Field&) { append_text(out, c.req.authority()); }},
      {"target", [](std::string& out, const Context& c, const Field&) { append_text(out, c.req.target()); }},
      {"path", [](std::string& out, const Context& c, const Field&) { append_text(out, c.req.path()); }},
      {"route", [](std::string& out, const Context& c, const Field&) { append_text(out, c.route()); }},
      {"status", [](std::string& out, const Context& c, const Field&) { append_number(out, static_cast<std::uint64_t>(c.final_status())); }},
      {"bytes", [](std::string& out, const Context& c, const Field&) { append_number(out, c.bytes_sent()); }},
      {"bytes_received", [](std::string& out, const Context& c, const Field&) { append_number(out, c.bytes_received()); }},
      {"duration", [](std::string& out, const Context& c, const Field&) { append_seconds(out, c.elapsed()); }},
      {"failure", [](std::string& out, const Context& c, const Field&) { append_text(out, c.failure() ? name_of(c.failure()->code) : ""); }},
      {"request_id", [](std::string& out, const Context& c, const Field&) { append_text(out, c.id()); }},
      {"referer", [](std::string& out, const Context& c, const Field&) { append_header(out, c.req.headers, "referer"); }},
      {"user_agent", [](std::string& out, const Context& c, const Field&) { append_header(out, c.req.headers, "user-agent"); }},
  };
  constexpr std::string_view of_header = "header:";

  Problems problems;
  const auto report = [&](std::string what) { problems.push_back({Place{{}, 0, 0, "fields"}, std::move(what)}); };
  std::vector<std::string> wanted = names;
  if (wanted.empty()) wanted.assign(std::begin(default_fields), std::end(default_fields));
  for (const std::string& name : wanted) {
    Field field{fields_.empty() ? "{" : ",", nullptr, {}};
    append_json_string(field.key, name);
    if (std::any_of(fields_.begin(), fields_.end(), [&](const Field& f) { return f.key.substr(1) == field.key.substr(1) + ':'; }))
      report("the field " + name + " is there twice");
    field.key += ':';
    if (std::string_view(name).starts_with(of_header)) {
      field.header = name.substr(of_header.size());
      field.append = [](std::string& out, const Context& c, const Field& f) { append_header(out, c.req.headers, f.header); };
      if (!is_token(field.header)) report('"' + field.header + "\" is not a header name");
      for (std::string_view secret : secret_headers)
        if (iequals(field.header, secret)) report(field.header + " holds credentials, which do not belong into a log");
    } else {
      const auto found = std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return k.name == name; });
      if (found != std::end(known)) field.append = found->append;
      else report("the access log has no field \"" + name + '"');
    }
    fields_.push_back(std::move(field));
  }
  if (!problems.empty()) throw ConfigError(std::move(problems));
}

void JsonLine::append(std::string& out, const Context& c) const {
  for (const Field& field : fields_) {
    out += field.key;
    field.append(out, c, field);
  }
  out += "}\n";
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
