#include "config/check_reply.hpp"

#include "config/text.hpp"

#include "middleware/owned_fields.hpp"

#include <gw/http.hpp>

#include <cstdint>
#include <string>

namespace gw {
inline namespace v0 {
namespace config {

void check_reply(const ReplyConfig& reply, const Place& place, Report& report) {
  report.add(place, ".status", bounds::status.contain(static_cast<std::uint64_t>(reply.status))
                                   ? std::string() : "a reply has a status from 200 to 599, not " + std::to_string(reply.status));
  const bool has_no_content = reply.status == 204 || reply.status == 205 || reply.status == 304;
  if (has_no_content && reply.content && !reply.content->empty())
    report.add(place, "a response with status " + std::to_string(reply.status) + " has no content");
  if (!is_field_value(reply.content_type)) report.add(place, ".content_type", "is not the value of a header");
  for (const auto& [name, value] : reply.headers) {
    const std::string part = path_of(".headers", name);
    if (!is_token(name)) report.add(place, part, quote(name) + " is no header name");
    else if (detail::is_owned_field(name)) report.add(place, part, name + " belongs to gw: it frames the message or is about one connection");
    else if (!is_field_value(value)) report.add(place, part, "the value has a control character, or a space at an end");
  }
}

}  // namespace config
}  // namespace v0
}  // namespace gw
