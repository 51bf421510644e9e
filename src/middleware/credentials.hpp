/// \file
/// Level 4: what the stages that authenticate share: files of credentials, names of consumers, challenges, and the
/// field that tells the upstream who the consumer is.
#pragma once

#include <gw/context.hpp>
#include <gw/error.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// What is wrong with the name of a consumer or user, or nothing: 1 to 128 visible ASCII characters, so that it fits
/// into a field and into a line of a log.
std::string consumer_mistake(std::string_view name);

/// What is wrong with the name of the field for the consumer, or nothing. Empty is right: no field.
std::string consumer_field_mistake(std::string_view name);

/// Calls `take(line, place)` for each line of the file that is neither empty nor a comment ("#"), without white space
/// around it. A file that cannot be read, is no regular file (a pipe could not be read again by a reload) or has
/// more than 64 MiB is a problem. Nothing of the content gets into problems: it may be a secret at a wrong place.
void read_credential_lines(const std::string& path, Problems& problems,
                           const std::function<void(std::string_view line, const Place& place)>& take);

/// "Basic realm=\"orders\"": a challenge (RFC 9110 11.6.1).
std::string challenge(std::string_view scheme, std::string_view realm);

/// What is wrong with a realm, or nothing: visible ASCII and spaces.
std::string realm_mistake(std::string_view realm);

/// Answers 401 with a challenge.
void refuse(Context& c, std::string_view challenge);

}  // namespace detail
}  // namespace v0
}  // namespace gw
