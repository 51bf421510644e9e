#include <gw/middleware/access_log.hpp>

#include "middleware/combined_log.hpp"
#include "middleware/log_writer.hpp"

namespace gw {
inline namespace v0 {

AccessLog::AccessLog(AccessLogOptions options) : writer_(std::make_shared<detail::LogWriter>(std::move(options.file))) {}

void AccessLog::done(const Context& c) const {
  thread_local std::string line;
  line.clear();
  detail::append_combined(line, c);
  writer_->append(line);
}

void AccessLog::reopen() const { writer_->reopen(); }

std::uint64_t AccessLog::dropped() const noexcept { return writer_->dropped(); }

}  // namespace v0
}  // namespace gw
