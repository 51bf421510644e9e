/// \file
/// Level 5: what a route does, as keys of a configuration: `forward`, `rewrite`, `redirect` and `reply`.
#pragma once

#include "config/value.hpp"

#include <gw/config.hpp>

#include <string>

namespace gw {
inline namespace v0 {
namespace config {

/// Reads the name of an upstream, a URL, or {split: ..., hash: ..., chosen_by: ...}.
void read_forward(const Value& value, ForwardConfig& out);
/// Reads "/v2{rest}".
void read_rewrite(const Value& value, RewriteConfig& out);
/// Reads a target, or {to: ..., status: ..., keep_query: ...}.
void read_redirect(const Value& value, RedirectConfig& out);
/// Reads a status, a text, or {status: ..., text: ..., json: ..., headers: ...}.
void read_reply(const Value& value, ReplyConfig& out);

/// A value of a configuration as JSON: texts in quotation marks, and what is written without them and is a number, true, false
/// or null as that. Nothing stands in it that was reported.
std::string json_text(const Node& node);

}  // namespace config
}  // namespace v0
}  // namespace gw
