#include "middleware/combined_log.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

/// `put_log_time`, worked out once per second and thread.
void put_cached_time(LogLine& line, std::chrono::sys_seconds time) {
  thread_local std::chrono::sys_seconds last = std::chrono::sys_seconds::min();
  thread_local std::array<char, log_time_size> text;
  if (last != time) {
    LogLine made;
    put_log_time(made, time);
    std::memcpy(text.data(), made.text().data(), text.size());
    last = time;
  }
  line.put({text.data(), text.size()});
}

}  // namespace

void put_quotable(LogLine& line, std::string_view text) {
  if (text.empty()) return line.put('-');
  constexpr std::string_view digits = "0123456789ABCDEF";
  char* to = line.room(4 * text.size());
  for (;;) {
    const std::size_t plain = copy_plain(to, text);
    to += plain;
    if (plain == text.size()) return line.take(to);
    const auto c = static_cast<unsigned char>(text[plain]);
    for (const char escaped : {'\\', 'x', digits[c >> 4], digits[c & 15]}) *to++ = escaped;
    text.remove_prefix(plain + 1);
  }
}

void put_log_time(LogLine& line, std::chrono::sys_seconds time) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  char* to = line.room(log_time_size);
  to = put_two_digits(to, static_cast<unsigned>(date.day()));
  *to++ = '/';
  to = std::copy_n(months.data() + 3 * (static_cast<unsigned>(date.month()) - 1), 3, to);
  *to++ = '/';
  to = put_two_digits(put_two_digits(to, year / 100), year % 100);
  for (const auto part : {clock.hours().count(), clock.minutes().count(), static_cast<long>(clock.seconds().count())}) {
    *to++ = ':';
    to = put_two_digits(to, static_cast<unsigned>(part));
  }
  line.take(to);
  line.put(" +0000");
}

void put_combined(LogLine& line, const Context& c) {
  put_quotable(line, c.client_address());
  line.put(" - ");
  put_quotable(line, c.consumer());
  line.put(" [");
  put_cached_time(line, std::chrono::floor<std::chrono::seconds>(c.started()));
  line.put("] \"");
  line.put(to_string(c.req.method));
  line.put(' ');
  put_quotable(line, c.req.target());
  line.put(c.req.version == Version::http10 ? " HTTP/1.0\" " : " HTTP/1.1\" ");
  line.put_number(static_cast<std::uint64_t>(c.final_status()));
  line.put(' ');
  line.put_number(c.bytes_sent());
  line.put(" \"");
  put_quotable(line, c.req.headers["referer"]);
  line.put("\" \"");
  put_quotable(line, c.req.headers["user-agent"]);
  line.put("\"\n");
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
