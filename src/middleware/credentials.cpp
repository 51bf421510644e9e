#include "middleware/credentials.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t largest_file = 64 * 1024 * 1024;
constexpr std::size_t longest_name = 128;

/// The file, or nothing and why.
struct Content {
  std::string text;
  std::string mistake;
};

Content content_of(const std::string& path) {
  const auto reason = [] { return std::generic_category().message(errno); };
  // Without O_NONBLOCK, opening a pipe that nobody writes would wait for ever.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return {{}, "cannot be opened: " + reason()};
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) { ::close(*f); });
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {{}, "cannot be read: " + reason()};
  if (!S_ISREG(status.st_mode)) return {{}, "is not a regular file"};
  std::string text;
  std::array<char, 65536> block;
  for (;;) {
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return {{}, "cannot be read: " + reason()};
    if (n == 0) return {std::move(text), {}};
    text.append(block.data(), static_cast<std::size_t>(n));
    if (text.size() > largest_file) return {{}, "has more than 64 MiB"};
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r";
  const std::size_t first = text.find_first_not_of(space);
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(space) - first + 1);
}

}  // namespace

std::string consumer_mistake(std::string_view name) {
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (!name.empty() && name.size() <= longest_name && std::all_of(name.begin(), name.end(), is_visible)) return {};
  return "a name has 1 to 128 visible ASCII characters, and no spaces";
}

std::string consumer_field_mistake(std::string_view name) {
  if (name.empty()) return {};
  if (!is_token(name)) return "the consumer's header has a name that is no header name";
  for (std::string_view taken : {"Host", "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "TE", "Trailer", "Keep-Alive",
                                 "Proxy-Connection", "Via", "Date", "Forwarded", "Proxy"})
    if (iequals(name, taken)) return "the consumer's header cannot be " + std::string(taken);
  if (name.size() >= 12 && iequals(name.substr(0, 12), "X-Forwarded-")) return "the consumer's header cannot be " + std::string(name);
  return {};
}

void read_credential_lines(const std::string& path, Problems& problems,
                           const std::function<void(std::string_view line, const Place& place)>& take) {
  const Content content = content_of(path);
  if (!content.mistake.empty()) {
    problems.push_back({{}, "the file \"" + path + "\" " + content.mistake});
    return;
  }
  std::string_view rest = content.text;
  if (rest.substr(0, 3) == "\xef\xbb\xbf") rest.remove_prefix(3);
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (!line.empty() && line.front() != '#') take(line, Place{path, number, 1, ""});
  }
}

std::string challenge(std::string_view scheme, std::string_view realm) {
  std::string text = std::string(scheme) + " realm=\"";
  for (const char c : realm) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

std::string realm_mistake(std::string_view realm) {
  const bool is_plain = std::all_of(realm.begin(), realm.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return is_plain ? std::string() : "a realm has visible ASCII characters and spaces only";
}

void refuse(Context& c, std::string_view challenge) {
  c.fail(Failure(Error::unauthorized, Origin::client));
  c.res.headers.add("WWW-Authenticate", challenge);
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
