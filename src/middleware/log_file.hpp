/// \file
/// Level 4: the file, pipe or terminal behind a log.
#pragma once

#include <gw/version.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// What lines are appended to. One thread at a time; never throws after construction.
class LogFile {
 public:
  /// Opens `path` for appending, or takes standard output if it is empty. Throws `ConfigError`.
  explicit LogFile(std::string path);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  /// Writes `lines`, each with its line end; returns how many were lost because the sink refused
  /// them. Waits for a sink that takes nothing for now, but once `stopping` is set only half a
  /// second, and never again. A line that was cut off by an error never runs into the next one.
  /// Where SIGPIPE is not blocked, a pipe without reader ends the process.
  std::uint64_t write(std::string_view lines, const std::atomic<bool>& stopping);

  /// Opens the path anew. If that fails the old file stays, with a line that says why.
  void reopen(const std::atomic<bool>& stopping);

 private:
  bool is_standard_output() const noexcept { return path_.empty(); }
  void inspect() noexcept;
  std::size_t put(std::string_view bytes, const std::atomic<bool>& stopping);
  bool can_take(const std::atomic<bool>& stopping);

  std::string path_;
  int fd_;
  bool may_stall_ = false;  // a pipe or terminal: write(2) could wait for ever
  bool is_torn_ = false;    // the last line has no end
  bool has_given_up_ = false;
};

}  // namespace detail
}  // namespace v0
}  // namespace gw
