#include <gw/middleware/access_log.hpp>

#include "middleware/combined_log.hpp"
#include "middleware/json_log.hpp"
#include "middleware/log_writer.hpp"

namespace gw {
inline namespace v0 {

namespace {

/// Null for the combined format.
std::shared_ptr<const detail::JsonLine> json_line(const AccessLogOptions& options) {
  if (options.format == AccessLogFormat::json) return std::make_shared<const detail::JsonLine>(options.fields);
  if (options.fields.empty()) return nullptr;
  throw ConfigError({Problem{Place{{}, 0, 0, "fields"}, "the combined format has fixed fields; choose the format json"}});
}

}  // namespace

AccessLog::AccessLog(AccessLogOptions options)
    : json_(json_line(options)), writer_(std::make_shared<detail::LogWriter>(std::move(options.file))) {}

void AccessLog::done(const Context& c) const {
  writer_->append_with([&](detail::LogText& text) {
    if (json_) json_->put(text, c);
    else detail::put_combined(text, c);
  });
}

void AccessLog::reopen() const { writer_->reopen(); }

std::uint64_t AccessLog::dropped() const noexcept { return writer_->dropped(); }

}  // namespace v0
}  // namespace gw
