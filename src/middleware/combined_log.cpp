#include "middleware/combined_log.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

/// `put_log_time`, worked out once per second and thread.
char* put_cached_time(char* to, std::chrono::sys_seconds time) {
  thread_local std::chrono::sys_seconds last = std::chrono::sys_seconds::min();
  thread_local std::array<char, log_time_size> text;
  if (last != time) {
    put_log_time(text.data(), time);
    last = time;
  }
  return put(to, {text.data(), text.size()});
}

/// Writes `\xHH` for what is not plain. Apart from what most texts need, which then saves no registers.
[[gnu::noinline]] char* put_escaped(char* to, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    if (is_plain(c)) {
      *to++ = c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    for (const char escaped : {'\\', 'x', digits[byte >> 4], digits[byte & 15]}) *to++ = escaped;
  }
  return to;
}

}  // namespace

char* put_quotable(LogText& out, char* to, std::string_view text) {
  if (text.empty()) text = "-";
  to = out.room(to, 4 * text.size());
  return copy_plain(to, text) ? to + text.size() : put_escaped(to, text);
}

char* put_log_time(char* to, std::chrono::sys_seconds time) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  to = put_two_digits(to, static_cast<unsigned>(date.day()));
  *to++ = '/';
  to = put(to, months.substr(3 * (static_cast<unsigned>(date.month()) - 1), 3));
  *to++ = '/';
  to = put_two_digits(put_two_digits(to, year / 100), year % 100);
  for (const auto part : {clock.hours().count(), clock.minutes().count(), static_cast<long>(clock.seconds().count())}) {
    *to++ = ':';
    to = put_two_digits(to, static_cast<unsigned>(part));
  }
  return put(to, " +0000");
}

void put_combined(LogText& out, const Context& c) {
  // More than any of the groups of short pieces between two texts from outside.
  constexpr std::size_t group = 128;
  char* to = put_quotable(out, out.end(), c.client_address());
  to = put(out.room(to, group), " - ");
  to = put_quotable(out, to, c.consumer());
  to = put(out.room(to, group), " [");
  to = put_cached_time(to, std::chrono::floor<std::chrono::seconds>(c.started()));
  to = put(to, "] \"");
  to = put(to, to_string(c.req.method));
  *to++ = ' ';
  to = put_quotable(out, to, c.req.target());
  to = put(out.room(to, group), c.req.version == Version::http10 ? " HTTP/1.0\" " : " HTTP/1.1\" ");
  to = put_number(to, static_cast<std::uint64_t>(c.final_status()));
  *to++ = ' ';
  to = put_number(to, c.bytes_sent());
  to = put(to, " \"");
  to = put_quotable(out, to, c.req.headers["Referer"]);
  to = put(out.room(to, group), "\" \"");
  to = put_quotable(out, to, c.req.headers["User-Agent"]);
  out.take(put(out.room(to, group), "\"\n"));
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
