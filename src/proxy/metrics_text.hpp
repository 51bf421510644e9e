/// \file
/// What a gateway has counted, as text. docs/metrics.md says what each name means.
#pragma once

#include "proxy/exposition.hpp"
#include "proxy/metrics.hpp"

#include <string>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Adds up what the workers have counted, and writes it. Any thread; takes time and memory that grow
/// with the number of routes that were asked for.
std::string metrics_text(const Metrics& metrics, Exposition::Format format);

}  // namespace proxy
}  // namespace v0
}  // namespace gw
