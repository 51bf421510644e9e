#include <doctest/doctest.h>

#include <gw/middleware/access_log.hpp>

#include "middleware/combined_log.hpp"
#include "middleware/log_writer.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using gw::detail::ContextAccess, gw::detail::LogFile, gw::detail::LogText, gw::detail::LogWriter;
using gw_test::TempDir, gw_test::content_of;

namespace {

/// A text as it is between quotes.
std::string quotable(std::string_view text) {
  LogText out;
  out.take(gw::detail::put_quotable(out, out.end(), text));
  return std::string(out.view());
}

std::string log_time(std::chrono::sys_seconds time) {
  char bytes[gw::detail::log_time_size];
  return std::string(bytes, gw::detail::put_log_time(bytes, time));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// A line that is recognised as whole, `length` bytes with its end.
std::string numbered(std::size_t number, std::size_t length = 64) {
  std::string line = std::to_string(number) + ' ';
  line.resize(length - 1, static_cast<char>('a' + number % 26));
  return line + '\n';
}

/// A named pipe whose reading end is open but read only on demand.
class Pipe {
 public:
  explicit Pipe(const std::string& path) : path_(path) {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    open();
  }
  ~Pipe() { close(); }
  void open() {
    fd_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK);
    REQUIRE(fd_ >= 0);
    REQUIRE(::fcntl(fd_, F_SETFL, 0) == 0);
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// Reads the next line, waiting for it; without its end.
  std::string line() {
    std::size_t end;
    while ((end = buffer_.find('\n', start_)) == buffer_.npos) {
      buffer_.erase(0, start_);
      start_ = 0;
      char bytes[65536];
      const ssize_t n = ::read(fd_, bytes, sizeof bytes);
      REQUIRE(n > 0);
      buffer_.append(bytes, static_cast<std::size_t>(n));
    }
    std::string text = buffer_.substr(start_, end - start_);
    start_ = end + 1;
    return text;
  }

 private:
  std::string path_;
  std::string buffer_;
  std::size_t start_ = 0;
  int fd_ = -1;
};

/// N of "# N lines dropped", or 0.
std::size_t dropped_in(const std::string& line) {
  const bool is_note = line.starts_with("# ") && line.ends_with(" lines dropped");
  return is_note ? std::stoull(line.substr(2)) : 0;
}

}  // namespace

TEST_CASE("access_log: text from outside stays inside its quotes and its line") {
  struct Case {
    std::string text, expected;
  };
  const std::vector<Case> cases{
      {"", "-"},
      {"curl/8.5", "curl/8.5"},
      {" !#$%&'()*+,-./:;<=>?@[]^_`{|}~", " !#$%&'()*+,-./:;<=>?@[]^_`{|}~"},
      {"\"", "\\x22"},
      {"\\", "\\x5C"},
      {"a\"b\\c", "a\\x22b\\x5Cc"},
      {"\r\n127.0.0.1 - -", "\\x0D\\x0A127.0.0.1 - -"},
      {std::string("\0", 1), "\\x00"},
      {"\t\x1b[31m\x7f", "\\x09\\x1B[31m\\x7F"},
      {"caf\xc3\xa9\xff", "caf\\xC3\\xA9\\xFF"},
  };
  for (const Case& one : cases) {
    CHECK(quotable(one.text) == one.expected);
  }
  for (int c = 0; c < 256; ++c) {
    const std::string out = quotable(std::string(1, static_cast<char>(c)));
    CHECK((out.size() == 1) == (c >= 0x20 && c < 0x7f && c != '"' && c != '\\'));
  }
}

TEST_CASE("access_log: every byte is told apart at every place of a text") {
  // Texts shorter than 8, than 16, and of several blocks, with something behind the last whole one and without.
  for (const std::size_t size : {1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40})
    for (int byte = 0; byte < 256; ++byte)
      for (std::size_t place = 0; place < size; ++place) {
        const char c = static_cast<char>(byte);
        std::string text(size, 'v');
        text[place] = c;
        char escaped[5];
        std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned>(byte));
        const bool is_plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
        INFO("byte ", byte, " at ", place, " of ", size);
        const std::string expected = std::string(place, 'v') + (is_plain ? std::string(1, c) : escaped) + std::string(size - 1 - place, 'v');
        CHECK(quotable(text) == expected);
      }
}

namespace {

/// Whether a kind of block copies texts of plain bytes, and finds each other byte wherever it is, alone or beside another.
template <class Block>
void check_blocks() {
  const auto copied = [](const std::string& text) {
    std::string out(text.size(), '\0');
    const bool is_plain = gw::detail::copy_plain_blocks<Block>(out.data(), text);
    if (is_plain) CHECK(out == text);
    return is_plain;
  };
  for (std::size_t size = Block::size; size <= 40; ++size)
    // Those that are plain by a hair, so that a carry would show.
    for (const char filling : {' ', '!', '#', '[', ']', '~'})
      for (std::size_t place = 0; place < size; ++place)
        for (int byte = 0; byte < 256; ++byte) {
          std::string text(size, filling);
          text[place] = static_cast<char>(byte);
          bool is_right = copied(text) == gw::detail::is_plain(text[place]);
          if (place + 1 < size && !gw::detail::is_plain(text[place])) {
            for (const char next : {'\0', '\x01', '"', '\\', '\x7f', '\x80', '\xff'}) {
              text[place + 1] = next;
              is_right = is_right && !copied(text);
            }
          }
          // One check for all is much faster than one each.
          if (!is_right) FAIL("size ", size, ", place ", place, ", byte ", byte);
        }
}

}  // namespace

TEST_CASE("log text: every kind of block tells plain texts from others") {
  check_blocks<gw::detail::WordOfBytes<std::uint32_t>>();
  check_blocks<gw::detail::WordOfBytes<std::uint64_t>>();
#ifdef __SSE2__
  check_blocks<gw::detail::SixteenBytes>();
#endif
}

TEST_CASE("log text: what was written stays when it needs new memory, and nothing is there before it is taken") {
  LogText text;
  std::string expected;
  for (std::size_t i = 0; i < 200; ++i) {
    char* to = text.end();
    for (const std::string& piece : {std::string(i, 'a'), std::string(3 * i, 'b')}) {
      to = gw::detail::put(text.room(to, piece.size()), piece);
      CHECK(text.view() == expected);
    }
    text.take(to);
    expected += std::string(i, 'a') + std::string(3 * i, 'b');
    CHECK(text.view() == expected);
  }
  text.cut(3);
  CHECK(text.view() == expected.substr(0, 3));
  text.append("xyz");
  CHECK(text.view() == expected.substr(0, 3) + "xyz");
}

TEST_CASE("access_log: times are UTC and look the same in every locale") {
  struct Case {
    long long seconds;
    std::string expected;
  };
  const std::vector<Case> cases{
      {0, "01/Jan/1970:00:00:00 +0000"},
      {951'782'400, "29/Feb/2000:00:00:00 +0000"},
      {1'791'640'536, "10/Oct/2026:13:55:36 +0000"},
      {1'798'761'599, "31/Dec/2026:23:59:59 +0000"},
      {4'107'542'400, "01/Mar/2100:00:00:00 +0000"},
  };
  for (const Case& one : cases) {
    CHECK(log_time(std::chrono::sys_seconds(std::chrono::seconds(one.seconds))) == one.expected);
  }
}

TEST_CASE("access_log: a line in the combined format") {
  struct Case {
    const char* what;
    std::function<void(gw::Context&)> fill;
    std::string before_time, after_time;
  };
  const std::vector<Case> cases{
      {"a usual request",
       [](gw::Context& c) {
         ContextAccess::begin(c, nullptr, 1, 1, "192.0.2.7");
         c.req = gw::Request(gw::Method::get, "/foo?x=1");
         c.req.headers = {{"Referer", "http://a/"}, {"User-Agent", "curl/8.5"}};
         c.reply(200);
         ContextAccess::set_head_sent(c);
         ContextAccess::add_bytes_sent(c, 2326);
       },
       "192.0.2.7 - - [", "] \"GET /foo?x=1 HTTP/1.1\" 200 2326 \"http://a/\" \"curl/8.5\"\n"},
      {"a consumer",
       [](gw::Context& c) {
         ContextAccess::begin(c, nullptr, 1, 1, "::1");
         c.req = gw::Request(gw::Method::get, "/");
         c.set_consumer("alice");
         c.reply(204);
       },
       "::1 - alice [", "] \"GET / HTTP/1.1\" 204 0 \"-\" \"-\"\n"},
      {"nothing known, from a dispatch",
       [](gw::Context& c) {
         c.req = gw::Request(gw::Method::delete_, "/");
         c.req.version = gw::Version::http10;
         c.reply(204);
       },
       "- - - [", "] \"DELETE / HTTP/1.0\" 204 0 \"-\" \"-\"\n"},
      {"hostile fields",
       [](gw::Context& c) {
         c.req = gw::Request(gw::Method::get, "/\"\\");
         c.req.headers.borrow("referer", "\" 200 0\n");
         c.req.headers.borrow("user-agent", "\xff");
         c.fail(gw::Error::bad_path);
       },
       "- - - [", "] \"GET /\\x22\\x5C HTTP/1.1\" 400 0 \"\\x22 200 0\\x0A\" \"\\xFF\"\n"},
      {"the client left before there was an answer", [](gw::Context& c) { c.req = gw::Request(gw::Method::get, "/"); }, "- - - [",
       "] \"GET / HTTP/1.1\" 499 0 \"-\" \"-\"\n"},
      {"the client left before the answer was sent",
       [](gw::Context& c) {
         c.req = gw::Request(gw::Method::get, "/");
         c.reply(200);
         ContextAccess::set_failure(c, gw::Failure(gw::Error::client_gone, gw::Origin::client));
       },
       "- - - [", "] \"GET / HTTP/1.1\" 499 0 \"-\" \"-\"\n"},
      {"the client left while the answer was being sent",
       [](gw::Context& c) {
         c.req = gw::Request(gw::Method::get, "/");
         c.reply(200);
         ContextAccess::set_head_sent(c);
         ContextAccess::add_bytes_sent(c, 10);
         ContextAccess::set_failure(c, gw::Failure(gw::Error::client_gone, gw::Origin::client));
       },
       "- - - [", "] \"GET / HTTP/1.1\" 200 10 \"-\" \"-\"\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    gw::Context c;
    one.fill(c);
    const std::string time = log_time(std::chrono::floor<std::chrono::seconds>(c.started()));
    LogText out;
    gw::detail::put_combined(out, c);
    CHECK(out.view() == one.before_time + time + one.after_time);
    gw::detail::put_combined(out, c);
    CHECK(out.view() == one.before_time + time + one.after_time + one.before_time + time + one.after_time);
  }
}

TEST_CASE("access_log: the stage writes one line per request, and everything is there once it is gone") {
  const TempDir dir;
  const std::string path = dir / "access.log";
  {
    const gw::Pipeline pipeline({gw::access_log({.file = path})});
    const gw::Pipeline copy = pipeline;
    CHECK(pipeline.stages()[0].name() == "access_log");
    for (int i = 0; i < 3; ++i) {
      gw::Context c;
      c.req = gw::Request(gw::Method::get, "/" + std::to_string(i));
      const gw::Pipeline& either = i % 2 ? copy : pipeline;
      CHECK(either.run_now(c, gw::Handler([](gw::Context&) { return 200; })));
      either.done(c);
    }
  }
  const std::vector<std::string> lines = lines_of(content_of(path));
  REQUIRE(lines.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(lines[i].ends_with("] \"GET /" + std::to_string(i) + " HTTP/1.1\" 200 0 \"-\" \"-\""));
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0137) == 0);
}

TEST_CASE("access_log: a file that cannot be opened is a problem that names it and says why") {
  const TempDir dir;
  REQUIRE(::mkfifo((dir / "unread").c_str(), 0600) == 0);
  struct Case {
    std::string path, reason;
  };
  const std::vector<Case> cases{{dir / "none/access.log", "No such file or directory"}, {dir / "", "Is a directory"},
                                {dir / "unread", "No such device or address"}};
  for (const Case& one : cases) {
    const std::string problem = "cannot open access log \"" + one.path + "\": " + one.reason;
    CHECK_THROWS_WITH_AS(gw::access_log({.file = one.path}), problem.c_str(), gw::ConfigError);
  }
}

TEST_CASE("log file: an empty path is standard output") {
  const TempDir dir;
  const std::string path = dir / "out";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  const int saved = ::dup(STDOUT_FILENO);
  const std::atomic<bool> stopping{false};
  std::uint64_t lost = 1;
  ::dup2(file, STDOUT_FILENO);
  {
    LogFile log("");
    log.reopen(stopping);
    lost = log.write("one\ntwo\n", stopping);
  }
  const bool is_still_open = ::dup2(saved, STDOUT_FILENO) == STDOUT_FILENO;
  ::close(saved);
  ::close(file);
  CHECK(is_still_open);
  CHECK(lost == 0);
  CHECK(content_of(path) == "one\ntwo\n");
}

TEST_CASE("log file: a line that was cut off never runs into the next one") {
  const TempDir dir;
  const std::string path = dir / "access.log";
  const std::atomic<bool> stopping{false};
  LogFile log(path);
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const rlimit small{10, limit.rlim_max};
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::uint64_t lost = log.write("12345\nabcdef\nghi\n", stopping);
  const std::uint64_t lost_then = log.write("refused\n", stopping);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, previous);
  CHECK(lost == 2);
  CHECK(lost_then == 1);
  CHECK(log.write("next\n", stopping) == 0);
  CHECK(content_of(path) == "12345\nabcd\nnext\n");
}

TEST_CASE("log file: once it is to stop, a stalled sink is given up, and at once the next time") {
  const TempDir dir;
  Pipe pipe(dir / "pipe");
  const std::atomic<bool> stopping{true};
  LogFile log(dir / "pipe");
  std::string lines;
  for (std::size_t i = 0; i < 16 * 1024; ++i) lines += numbered(i);
  const std::uint64_t lost = log.write(lines, stopping);
  CHECK(lost > 0);
  CHECK(lost < 16 * 1024);
  CHECK(log.write(lines, stopping) == 16 * 1024);
}

TEST_CASE("log writer: many threads, and every line arrives whole and in its thread's order") {
  constexpr std::size_t threads = 8, lines = 10'000;
  const TempDir dir;
  const std::string path = dir / "access.log";
  {
    LogWriter writer(path);
    std::vector<std::thread> running;
    for (std::size_t t = 0; t < threads; ++t)
      running.emplace_back([&, t] {
        for (std::size_t i = 0; i < lines; ++i) writer.append(numbered(t * lines + i, 30 + i % 40));
      });
    for (std::thread& thread : running) thread.join();
    CHECK(writer.dropped() == 0);
  }
  std::vector<std::size_t> next(threads, 0);
  std::size_t count = 0, wrong = 0;
  for (const std::string& line : lines_of(content_of(path))) {
    const std::size_t number = std::stoull(line), thread = number / lines, i = number % lines;
    wrong += thread >= threads || i != next[thread] || line + '\n' != numbered(number, 30 + i % 40);
    ++next[thread];
    ++count;
  }
  CHECK(count == threads * lines);
  CHECK(wrong == 0);
}

TEST_CASE("log writer: of a line that could not be made nothing is written") {
  const TempDir dir;
  {
    LogWriter writer(dir / "log");
    writer.append("before\n");
    CHECK_THROWS_AS(writer.append_with([](LogText& text) {
      gw::detail::put(text.room(text.end(), 4), "half");
      throw std::bad_alloc();
    }),
                    std::bad_alloc);
    writer.append_with([](LogText& text) { text.append("after\n"); });
  }
  CHECK(content_of(dir / "log") == "before\nafter\n");
}

TEST_CASE("log writer: a sink that nobody reads makes lines drop, counted, and nobody wait") {
  constexpr std::size_t lines = 3 * LogWriter::shard_limit / 1024;
  const TempDir dir;
  Pipe pipe(dir / "pipe");
  LogWriter writer(dir / "pipe");
  for (std::size_t i = 0; i < lines; ++i) writer.append(numbered(i, 1024));
  const std::uint64_t dropped = writer.dropped();
  CHECK(dropped > 0);
  CHECK(dropped < lines);

  // The sink is read again: what was kept arrives whole, and how much is missing is said.
  std::size_t kept = 0, told = 0, next = 0, wrong = 0;
  while (kept + told < lines) {
    const std::string line = pipe.line();
    if (const std::size_t missing = dropped_in(line)) {
      told += missing;
      continue;
    }
    const std::size_t number = std::stoull(line);
    wrong += number < next || line + '\n' != numbered(number, 1024);
    next = number + 1;
    ++kept;
  }
  CHECK(wrong == 0);
  CHECK(told == dropped);
  writer.append("and on it goes\n");
  CHECK(pipe.line() == "and on it goes");
  CHECK(writer.dropped() == dropped);
}

TEST_CASE("log writer: what a sink refuses is counted, and a later reader is told") {
  const TempDir dir;
  Pipe pipe(dir / "pipe");
  LogWriter writer(dir / "pipe");
  pipe.close();
  for (std::size_t i = 0; i < 3; ++i) writer.append(numbered(i));
  while (writer.dropped() < 3) std::this_thread::yield();
  CHECK(writer.dropped() == 3);
  pipe.open();
  writer.append("back\n");
  // The note comes first if the writer was still at it.
  std::vector<std::string> lines{pipe.line(), pipe.line()};
  std::sort(lines.begin(), lines.end());
  CHECK(lines == std::vector<std::string>{"# 3 lines dropped", "back"});
}

TEST_CASE("log writer: a full disk is no reason to stop") {
  LogWriter writer("/dev/full");
  for (int round = 1; round <= 3; ++round) {
    writer.append("x\n");
    while (writer.dropped() < static_cast<std::uint64_t>(round)) std::this_thread::yield();
  }
  CHECK(writer.dropped() == 3);
}

TEST_CASE("log writer: after a rename and reopen new lines go to the new file, and none is lost") {
  constexpr std::size_t lines = 1000;
  const TempDir dir;
  const std::string path = dir / "access.log", rotated = dir / "access.log.1";
  {
    const gw::AccessLog unused({.file = dir / "unused.log"});
    unused.reopen();
    LogWriter writer(path);
    for (std::size_t i = 0; i < lines; ++i) writer.append(numbered(i));
    fs::rename(path, rotated);
    writer.reopen();
    for (std::size_t i = lines; i < 2 * lines; ++i) writer.append(numbered(i));
  }
  const std::string old_text = content_of(rotated), new_text = content_of(path);
  std::string all;
  for (std::size_t i = 0; i < 2 * lines; ++i) all += numbered(i);
  CHECK((old_text + new_text == all));
  CHECK(lines_of(old_text).size() <= lines);
}

TEST_CASE("log writer: a file that cannot be opened again stays in use") {
  const TempDir dir;
  fs::create_directory(dir / "logs");
  {
    LogWriter writer(dir / "logs/access.log");
    fs::rename(dir / "logs", dir / "moved");
    writer.reopen();
    writer.append("still here\n");
  }
  CHECK(content_of(dir / "moved/access.log") ==
        "# cannot open " + (dir / "logs/access.log") + " again: No such file or directory\nstill here\n");
}
