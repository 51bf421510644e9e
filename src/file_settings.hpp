/// \file
/// Level 5: what a configuration file said last about the whole gateway, so that a reload can tell what code has changed since.
#pragma once

#include <gw/config.hpp>

#include <string>
#include <vector>

namespace gw {
inline namespace v0 {

/// Settings of a file, as they were read. One thread, or under a lock.
class FileSettings {
 public:
  FileSettings() = default;
  /// Those of a configuration that was read just now.
  explicit FileSettings(const Config& read);

  /// Carries over into `next`, which was read just now, each setting that `present` has otherwise than the file had: it is code's.
  void keep_changes(Config& next, const Config& present) const;

 private:
  Timeouts timeouts_;
  Limits limits_;
  unsigned wrong_method_ = Config{}.wrong_method;
  std::vector<std::string> name_servers_;
};

}  // namespace v0
}  // namespace gw
