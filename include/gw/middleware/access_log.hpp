/// \file
/// Level 4: the stage `access_log`.
#pragma once

#include <gw/middleware.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace detail {
class JsonLine;
class LogWriter;
}

/// How a line of the access log is written.
enum class AccessLogFormat {
  combined,  ///< that of Apache and nginx; its fields are fixed
  json,      ///< an object with chosen fields
};

/// The options of `access_log`.
struct AccessLogOptions {
  std::string file = {};  ///< appended to, made (mode 0640) if missing; empty: standard output
  AccessLogFormat format = AccessLogFormat::combined;
  std::vector<std::string> fields = {};  ///< of `json`, in their order (docs/middleware.md); empty: the default set
};

/// Writes a line for every request, in the combined format or as JSON (docs/middleware.md):
///
///     127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /foo?x=1 HTTP/1.1" 200 2326 "-" "curl/8.5"
///
/// A worker only puts the line into memory; one thread of the stage, started by the first line,
/// writes them about every 10 ms. Nobody waits for a slow sink: past 4 MiB of lines per worker that
/// were not taken, lines are dropped, counted, and a line `# N lines dropped` follows once the sink takes
/// lines again. Lines of one worker keep their order. Copies share the file and the thread.
class GW_EXPORT AccessLog {
 public:
  static constexpr std::string_view stage_name = "access_log";

  /// Opens the file; throws `ConfigError` with its name and the reason if that fails, or for each field that is wrong.
  explicit AccessLog(AccessLogOptions options = {});

  void done(const Context& c) const;
  /// Opens the file by its name again, after it was renamed. Any thread. Lines of requests that end
  /// after the call go to the new file; none is lost. If it cannot be opened, the old one stays in use.
  void reopen() const;
  /// How many lines were dropped so far. Any thread.
  std::uint64_t dropped() const noexcept;

 private:
  std::shared_ptr<const detail::JsonLine> json_;  // null: the combined format
  std::shared_ptr<detail::LogWriter> writer_;
};

/// `app.use(gw::access_log({.file = "/var/log/gw/access.log"}));`
inline Stage access_log(AccessLogOptions options = {}) { return AccessLog(std::move(options)); }

}  // namespace v0
}  // namespace gw
