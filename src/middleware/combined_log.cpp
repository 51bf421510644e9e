#include "middleware/combined_log.hpp"

#include "middleware/plain_text.hpp"

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

void append_two_digits(std::string& out, unsigned number) {
  out += static_cast<char>('0' + number / 10);
  out += static_cast<char>('0' + number % 10);
}

/// `append_log_time`, worked out once per second and thread.
void append_cached_time(std::string& out, std::chrono::sys_seconds time) {
  thread_local struct {
    std::chrono::sys_seconds time = std::chrono::sys_seconds::min();
    std::string text;
  } last;
  if (last.time != time) {
    last.text.clear();
    append_log_time(last.text, time);
    last.time = time;
  }
  out += last.text;
}

}  // namespace

void append_quotable(std::string& out, std::string_view text) {
  if (text.empty()) out += '-';
  std::size_t copied = 0;
  for (std::size_t i; (i = plain_end(text, copied)) < text.size(); copied = i + 1) {
    const auto c = static_cast<unsigned char>(text[i]);
    constexpr std::string_view digits = "0123456789ABCDEF";
    out.append(text, copied, i - copied).append("\\x");
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  out.append(text, copied);
}

void append_log_time(std::string& out, std::chrono::sys_seconds time) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  append_two_digits(out, static_cast<unsigned>(date.day()));
  out += '/';
  out.append(months, 3 * (static_cast<unsigned>(date.month()) - 1), 3);
  out += '/';
  append_number(out, static_cast<std::uint64_t>(static_cast<int>(date.year())));
  for (const auto part : {clock.hours().count(), clock.minutes().count(), static_cast<long>(clock.seconds().count())}) {
    out += ':';
    append_two_digits(out, static_cast<unsigned>(part));
  }
  out += " +0000";
}

void append_combined(std::string& out, const Context& c) {
  append_quotable(out, c.client_address());
  out += " - ";
  append_quotable(out, c.consumer());
  out += " [";
  append_cached_time(out, std::chrono::floor<std::chrono::seconds>(c.started()));
  out += "] \"";
  out += to_string(c.req.method);
  out += ' ';
  append_quotable(out, c.req.target());
  out += c.req.version == Version::http10 ? " HTTP/1.0\" " : " HTTP/1.1\" ";
  append_number(out, static_cast<std::uint64_t>(c.final_status()));
  out += ' ';
  append_number(out, c.bytes_sent());
  out += " \"";
  append_quotable(out, c.req.headers["referer"]);
  out += "\" \"";
  append_quotable(out, c.req.headers["user-agent"]);
  out += "\"\n";
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
