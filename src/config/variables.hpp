/// \file
/// Level 5: `${VAR}` and `${VAR:-default}` in the values of a configuration.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

/// Looks a variable up; nothing: it is not set.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;

/// The variables of the process. Not to be used while another thread sets some (as getenv).
std::optional<std::string> environment_variable(const std::string& name);

/// Replaces the variables of `text`: `${VAR}` by its value, `${VAR:-default}` by the default if it
/// is not set or empty, and `$${` by a literal `${`. Values are not searched again. What is wrong is
/// appended to `mistakes`, as sentences.
std::string replace_variables(std::string_view text, const Variables& variables, std::vector<std::string>& mistakes);

}  // namespace config
}  // namespace v0
}  // namespace gw
