#include "config/parse.hpp"

#include "config/decode.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// The problem of a file as a whole.
Problem whole_file(const std::string& file, std::string what) { return {Place{file, 0, 0, ""}, std::move(what)}; }

std::string too_large() { return "a configuration has at most " + size_text(largest_file); }

/// Reads a file, or gives nothing and reports why.
std::optional<std::string> read_file(const std::string& path, Problems& problems) {
  const auto failed = [&](std::string what) {
    problems.push_back(whole_file(path, std::move(what)));
    return std::nullopt;
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             [](std::FILE* f) { return f ? std::fclose(f) : 0; });
  if (!file) return failed("cannot be opened: " + std::generic_category().message(errno));
  std::string text;
  std::array<char, 65536> block;
  while (const std::size_t size = std::fread(block.data(), 1, block.size(), file.get())) {
    text.append(block.data(), size);
    // Asking for the size first would not help: pipes and devices have none.
    if (text.size() > largest_file) return failed(too_large());
  }
  if (std::ferror(file.get())) return failed("cannot be read: " + std::generic_category().message(errno));
  return text;
}

/// The text as a tree, or nothing if it has no meaning as a whole.
std::optional<Node> read_tree(std::string_view text, Notation notation, const std::string& file, Problems& problems, const World& world) {
  if (text.size() > largest_file) {
    problems.push_back(whole_file(file, too_large()));
    return std::nullopt;
  }
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  if (const auto bad = find_bad_character(text, true)) {
    const std::string_view before = text.substr(0, bad->offset);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t column = bad->offset - (before.find_last_of('\n') + 1) + 1;
    problems.push_back({Place{file, static_cast<int>(line), static_cast<int>(column), ""}, bad->what});
    return std::nullopt;
  }
  auto root =
      notation == Notation::json ? read_json(text, file, world.variable, problems) : read_yaml(text, file, world.variable, problems);
  // Most likely an editor or a script was just emptying the file: that must not drop every route.
  if (root && root->kind == Node::Kind::null) {
    problems.push_back({Place{file, 1, 1, ""}, "nothing is configured: the file is empty"});
    return std::nullopt;
  }
  return root;
}

}  // namespace

Config parse(std::string_view text, Notation notation, const std::string& file, Problems& problems, const World& world, Config base) {
  Problems found;
  if (const auto root = read_tree(text, notation, file, found, world)) {
    Reading reading{file, world, found};
    decode(Value(reading, *root, ""), base);
  }
  const auto position = [](const Problem& problem) { return std::tuple(problem.place.line, problem.place.column); };
  std::stable_sort(found.begin(), found.end(), [&](const Problem& a, const Problem& b) { return position(a) < position(b); });
  std::move(found.begin(), found.end(), std::back_inserter(problems));
  return base;
}

Config load(const std::string& path, Problems& problems) {
  const auto text = read_file(path, problems);
  if (!text) return {};
  const bool is_json = path.size() >= 5 && iequals(std::string_view(path).substr(path.size() - 5), ".json");
  return parse_config(*text, is_json ? Notation::json : Notation::yaml, path, problems);
}

}  // namespace config

Config parse_config(std::string_view text, Notation notation, const std::string& file, Problems& problems, Config base) {
  return config::parse(text, notation, file, problems, config::World{}, std::move(base));
}

Config load_config(const std::string& path) {
  Problems problems;
  Config result = config::load(path, problems);
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return result;
}

}  // namespace v0
}  // namespace gw
