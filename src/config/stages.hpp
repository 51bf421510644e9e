/// \file
/// Level 5: the stages that a configuration file can use by name.
#pragma once

#include "config/value.hpp"

#include <gw/config.hpp>
#include <gw/middleware/access_log.hpp>
#include <gw/middleware/basic_auth.hpp>
#include <gw/middleware/key_auth.hpp>

#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

/// What reading a configuration needs of the world around it; tests bring their own.
struct World {
  Variables variable = environment_variable;
  /// Makes the stage `access_log`, which opens its file.
  std::function<Stage(AccessLogOptions)> open_access_log = [](AccessLogOptions options) { return access_log(std::move(options)); };
  /// Make the stages `key_auth` and `basic_auth`, which read files.
  std::function<Stage(KeyAuthOptions)> make_key_auth = [](KeyAuthOptions options) { return key_auth(std::move(options)); };
  std::function<Stage(BasicAuthOptions)> make_basic_auth = [](BasicAuthOptions options) { return basic_auth(std::move(options)); };
};

/// Reads the options of a stage; false if anything is wrong with them.
template <class T, std::size_t n>
bool read_options_of(const Value& map, T& out, const Key<T> (&keys)[n]) {
  const std::size_t before = map.problem_count();
  return read_map(map, out, keys) && map.problem_count() == before;
}

/// Reads a `use` list: names, and maps of one name to its options. A built-in stage is made here; a
/// name that is not built in is kept for `Gateway::define`.
void read_stages(const Value& list, std::vector<StageConfig>& out);

/// The names of the built-in stages, for suggestions.
std::vector<std::string_view> built_in_stages();

}  // namespace config
}  // namespace v0
}  // namespace gw
