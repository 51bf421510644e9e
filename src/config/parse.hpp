/// \file
/// Level 5: a configuration text from beginning to end: read, replace variables, decode.
#pragma once

#include "config/stages.hpp"

#include <gw/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace config {

/// No configuration is larger, in bytes; what is, was not meant.
inline constexpr std::size_t largest_file = 64 * 1024 * 1024;

/// `gw::load_config` that appends its problems, and returns what could be read.
Config load(const std::string& path, Problems& problems);

/// `gw::parse_config` in a given world. Problems are appended in the order of the file.
Config parse(std::string_view text, Notation notation, const std::string& file, Problems& problems, const World& world, Config base = {});

}  // namespace config
}  // namespace v0
}  // namespace gw
