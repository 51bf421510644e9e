#include <gw/regex.hpp>

#ifdef GW_WITH_RE2
#include <re2/re2.h>
#include <re2/stringpiece.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>
#endif

namespace gw {
inline namespace v0 {

#ifdef GW_WITH_RE2
namespace {

// For the program and for the states that RE2 keeps while it matches, per pattern.
constexpr std::int64_t most_memory = 1024 * 1024;
// Values are found in an array on the stack.
constexpr int most_groups = 16;

// What RE2 says is wrong, with the position where it is certain.
std::string mistake_of(const RE2& compiled, const std::string& pattern) {
  std::string what = "is no regular expression that gw takes: " + compiled.error();
  const std::string& part = compiled.error_arg();
  const std::size_t at = part.empty() ? std::string::npos : pattern.find(part);
  if (at != std::string::npos && part != pattern && pattern.find(part, at + 1) == std::string::npos)
    what += ", at character " + std::to_string(at + 1);
  if (part.starts_with("(?<")) what += "; a named group is written (?P<name>...)";
  return what;
}

// Whether no match begins with "/", as every path does.
bool takes_no_path(const RE2& compiled) {
  std::string least, greatest;
  return compiled.PossibleMatchRange(&least, &greatest, 16) && (greatest < "/" || least >= "0");
}

// What every match begins with: the plain characters at the front, if the pattern has no alternatives.
std::string literal_prefix_of(std::string_view pattern) {
  if (pattern.find('|') != std::string_view::npos) return {};
  if (pattern.starts_with('^')) pattern.remove_prefix(1);
  constexpr std::string_view special = ".^$*+?()[]{}\\";
  std::string prefix;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size() && special.find(pattern[i + 1]) != std::string_view::npos) c = pattern[++i];
    else if (special.find(c) != std::string_view::npos) break;
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (next == '*' || next == '?' || next == '{') break;
    prefix += c;
    if (next == '+') break;
  }
  return prefix;
}

bool takes_every_path(std::string_view pattern) {
  if (pattern.starts_with('^')) pattern.remove_prefix(1);
  if (pattern.ends_with('$')) pattern.remove_suffix(1);
  return pattern == ".*" || pattern == "/.*";
}

// A compiled pattern, and which of its groups have names.
class Matcher {
 public:
  Matcher(std::shared_ptr<const RE2> compiled, std::vector<int> groups)
      : compiled_(std::move(compiled)), groups_(std::move(groups)), count_(groups_.empty() ? 0 : groups_.back() + 1) {}

  bool operator()(std::string_view path, Params& params) const {
    std::array<re2::StringPiece, most_groups + 1> found;
    if (!compiled_->Match(re2::StringPiece(path.data(), path.size()), 0, path.size(), RE2::ANCHOR_BOTH, found.data(), count_)) return false;
    for (int group : groups_) {
      const re2::StringPiece& text = found[static_cast<std::size_t>(group)];
      params.push(text.data() ? std::string_view(text.data(), text.size()) : path.substr(path.size()));
    }
    return true;
  }

 private:
  std::shared_ptr<const RE2> compiled_;
  std::vector<int> groups_;
  int count_;
};

}  // namespace

bool has_regex() noexcept { return true; }

PathRegex compile_regex(const std::string& pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(most_memory);
  options.set_encoding(RE2::Options::EncodingLatin1);  // paths are ASCII
  const auto compiled = std::make_shared<const RE2>(pattern, options);

  PathRegex regex;
  if (!compiled->ok()) {
    regex.mistake = mistake_of(*compiled, pattern);
    return regex;
  }
  std::vector<int> groups;
  for (const auto& [group, name] : compiled->CapturingGroupNames()) {
    groups.push_back(group);
    regex.names.push_back(name);
  }
  if (takes_no_path(*compiled)) regex.mistake = "takes no path: every path begins with \"/\"";
  else if (!groups.empty() && compiled->NumberOfCapturingGroups() > most_groups)
    regex.mistake = "has more than " + std::to_string(most_groups) + " groups; those without a name can be written (?:...)";
  if (!regex.mistake.empty()) return regex;
  regex.take = Matcher(compiled, std::move(groups));
  regex.literal_prefix = literal_prefix_of(pattern);
  regex.takes_every_path = takes_every_path(pattern);
  return regex;
}

#else

bool has_regex() noexcept { return false; }

PathRegex compile_regex(const std::string&) {
  PathRegex regex;
  regex.mistake = "cannot be used: this gw was built without RE2";
  return regex;
}

#endif

}  // namespace v0
}  // namespace gw
