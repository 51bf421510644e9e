#include "middleware/log_file.hpp"

#include <gw/error.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

constexpr int poll_milliseconds = 100;
constexpr int polls_when_stopping = 5;

/// O_NONBLOCK: opening a named pipe without a reader fails instead of waiting.
int open_for_appending(const std::string& path) noexcept {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
}

std::string reason() { return std::error_code(errno, std::generic_category()).message(); }

}  // namespace

LogFile::LogFile(std::string path) : path_(std::move(path)), fd_(is_standard_output() ? STDOUT_FILENO : open_for_appending(path_)) {
  if (fd_ < 0) throw ConfigError("cannot open access log \"" + path_ + "\": " + reason());
  inspect();
}

LogFile::~LogFile() {
  if (!is_standard_output()) ::close(fd_);
}

std::uint64_t LogFile::write(std::string_view lines, const std::atomic<bool>& stopping) {
  if (is_torn_) is_torn_ = put("\n", stopping) == 0;
  const std::size_t written = is_torn_ ? 0 : put(lines, stopping);
  if (written == lines.size()) return 0;
  if (written > 0) is_torn_ = lines[written - 1] != '\n';
  return static_cast<std::uint64_t>(std::count(lines.begin() + static_cast<std::ptrdiff_t>(written), lines.end(), '\n'));
}

void LogFile::reopen(const std::atomic<bool>& stopping) {
  if (is_standard_output()) return;
  const int fd = open_for_appending(path_);
  if (fd < 0) {
    write("# cannot open " + path_ + " again: " + reason() + '\n', stopping);
    return;
  }
  ::close(fd_);
  fd_ = fd;
  is_torn_ = false;
  inspect();
}

void LogFile::inspect() noexcept {
  struct stat status {};
  may_stall_ = ::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode);
}

std::size_t LogFile::put(std::string_view bytes, const std::atomic<bool>& stopping) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    std::size_t size = bytes.size() - written;
    if (may_stall_) {
      if (!can_take(stopping)) break;
      // Standard output blocks (its description is shared, so gw leaves the mode alone); a pipe that
      // polls as writable takes this much without waiting.
      size = std::min<std::size_t>(size, PIPE_BUF);
    }
    const ssize_t n = ::write(fd_, bytes.data() + written, size);
    if (n > 0) written += static_cast<std::size_t>(n);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN)) break;
  }
  return written;
}

bool LogFile::can_take(const std::atomic<bool>& stopping) {
  for (int polls = 0; !has_given_up_;) {
    pollfd waiting{fd_, POLLOUT, 0};
    // A closed pipe counts as writable: write(2) says what is wrong with it.
    if (::poll(&waiting, 1, poll_milliseconds) > 0) return true;
    if (stopping && ++polls == polls_when_stopping) has_given_up_ = true;
  }
  return false;
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
