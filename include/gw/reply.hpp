/// \file
/// Level 3: an answer that is written down in the configuration.
#pragma once

#include <gw/error.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// A fixed answer: of a route, or of an upstream that has failed.
struct ReplyConfig {
  int status = 200;
  /// The content; without, a status of 400 and above has its reason as `{"message": ...}`, and others have none.
  std::optional<std::string> content{};
  std::string content_type = "text/plain; charset=utf-8";  ///< of the content; not sent if it is empty
  std::vector<std::pair<std::string, std::string>> headers{};
  Place place{};

  friend bool operator==(const ReplyConfig&, const ReplyConfig&) = default;
};

}  // namespace v0
}  // namespace gw
