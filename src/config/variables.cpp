#include "config/variables.hpp"

#include "config/text.hpp"

#include <algorithm>
#include <cstdlib>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

bool is_variable_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

/// The value of what stands between `${` and `}`.
std::string value_of(std::string_view expression, const Variables& variables, std::vector<std::string>& mistakes) {
  const std::size_t separator = expression.find(":-");
  const std::string name(expression.substr(0, separator));
  if (!is_variable_name(name)) {
    mistakes.push_back(quote("${" + std::string(expression) + "}") +
                       " is not a variable: write ${NAME} or ${NAME:-default}, or $${ for a literal ${");
    return {};
  }
  std::optional<std::string> value = variables(name);
  if (separator != std::string_view::npos && (!value || value->empty())) return std::string(expression.substr(separator + 2));
  if (!value) mistakes.push_back("the environment variable " + quote(name) + " is not set, and ${" + name + "} has no default");
  return value.value_or("");
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

std::string replace_variables(std::string_view text, const Variables& variables, std::vector<std::string>& mistakes) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t open = text.find("${", i);
    if (open == std::string_view::npos) return result += text.substr(i);
    if (open > i && text[open - 1] == '$') {
      result.append(text.substr(i, open - 1 - i)).append("${");
      i = open + 2;
      continue;
    }
    result += text.substr(i, open - i);
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) {
      mistakes.push_back("\"${\" has no \"}\"; write $${ for a literal ${");
      return result;
    }
    result += value_of(text.substr(open + 2, close - open - 2), variables, mistakes);
    i = close + 1;
  }
  return result;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
