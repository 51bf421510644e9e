/// \file
/// Fuzz target: a configuration text, as YAML and as JSON. Nothing may crash, and every problem must
/// lead to its place: a line of the text, or the file as a whole.
#include "config/check.hpp"
#include "config/parse.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace {

/// A log that opens nothing: names of files come from the fuzzer.
struct NoLog {
  static constexpr std::string_view stage_name = "access_log";
  void done(const gw::Context&) const {}
};

void run(std::string_view text, gw::Notation notation) {
  gw::config::World world;
  world.variable = [](const std::string& name) { return name.size() % 2 ? std::optional<std::string>("8080") : std::nullopt; };
  world.open_access_log = [](gw::AccessLogOptions) { return gw::Stage(NoLog{}); };
  world.make_key_auth = [](gw::KeyAuthOptions options) {
    options.keys_file.clear();
    return gw::key_auth(std::move(options));
  };
  world.make_basic_auth = [](gw::BasicAuthOptions options) {
    options.users_file.clear();
    return gw::basic_auth(std::move(options));
  };

  gw::Problems problems;
  const gw::Config config = gw::config::parse(text, notation, "gw", problems, world);
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const gw::Problem& problem : problems) {
    GW_ASSERT(problem.place.file == "gw");
    GW_ASSERT(problem.place.line >= 1 && problem.place.line <= lines && problem.place.column >= 1);
    GW_ASSERT(!problem.what.empty() && problem.text().find('\n') == std::string::npos);
  }
  gw::config::check_references(config, problems);
  for (const gw::Problem& problem : problems) GW_ASSERT(problem.text().find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  run(text, gw::Notation::yaml);
  run(text, gw::Notation::json);
  return 0;
}
