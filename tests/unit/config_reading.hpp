/// \file
/// Configurations in tests: read in a world without files and with few variables.
#pragma once

#include "config/check.hpp"
#include "config/parse.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace config_reading {

/// An access log that opens nothing.
struct NoLog {
  static constexpr std::string_view stage_name = "access_log";
  void done(const gw::Context&) const {}
};

/// Three variables, and access logs that open nothing; the log's file is noted in `opened`.
inline gw::config::World world(std::vector<std::string>* opened = nullptr) {
  gw::config::World w;
  w.variable = [](const std::string& name) -> std::optional<std::string> {
    const std::map<std::string, std::string> variables{{"PORT", "8080"}, {"HOME_URL", "http://10.0.0.1:8080"}, {"EMPTY", ""}};
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  w.open_access_log = [opened](gw::AccessLogOptions options) {
    if (opened) opened->push_back(options.file);
    return gw::Stage(NoLog{});
  };
  return w;
}

/// The keys of a file, as a message lists them where an unknown one is like none of them.
inline const std::string keys =
    R"("listen", "workers", "timeouts", "limits", "wrong_method", "name_servers", "use", "upstreams", "routes", "admin")";

/// A text read and checked: the config, and one line per problem.
struct Outcome {
  gw::Config config;
  std::vector<std::string> problems;
};

inline std::vector<std::string> lines(const gw::Problems& problems) {
  std::vector<std::string> all;
  for (const gw::Problem& problem : problems) all.push_back(problem.text());
  return all;
}

/// Lines in one text: doctest shows it.
inline std::string join(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& line : all) text += line + '\n';
  return text;
}

/// Reads `text` as the file "gw" and checks it.
inline Outcome read(std::string_view text, gw::Notation notation = gw::Notation::yaml) {
  gw::Problems problems;
  Outcome outcome;
  outcome.config = gw::config::parse(text, notation, "gw", problems, world());
  gw::config::check_references(outcome.config, problems);
  outcome.problems = lines(problems);
  return outcome;
}

}  // namespace config_reading
