/// \file
/// Level 4: the stage `headers`.
#pragma once

#include <gw/middleware.hpp>

#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// Edits of the header fields of one message, made in the order `remove`, `set`, `add`.
struct HeaderEdits {
  std::vector<std::pair<std::string, std::string>> set = {};  ///< name and value; replaces every field of that name
  std::vector<std::pair<std::string, std::string>> add = {};  ///< name and value; beside those that are there
  std::vector<std::string> remove = {};                       ///< names
};

/// The options of `headers`.
struct HeadersOptions {
  HeaderEdits request = {};   ///< what the upstream gets to see
  HeaderEdits response = {};  ///< what the client gets to see, also of answers that gw makes
};

/// Edits the fields of requests and responses:
///
///     app.use(gw::headers({.request = {.set = {{"x-tenant", "blue"}}}, .response = {.remove = {"server"}}}));
///
/// Throws `ConfigError` with a problem for every name that is no token, every value with a control
/// character or a space at an end, every field that belongs to gw (framing and hop-by-hop,
/// RFC 9110 7.6.1; a request's Host can be set, but neither added nor removed), and if there is
/// nothing to edit. The stage has hooks only for the messages that it edits.
GW_EXPORT Stage headers(HeadersOptions options);

}  // namespace v0
}  // namespace gw
