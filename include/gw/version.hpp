/// \file
/// Level 0: the version of gw, in one place: CMake and the packages read it from here.
/// 0.x promises no ABI: the namespace `v0` and the SOVERSION 0.MINOR keep two versions apart.
#pragma once

#define GW_VERSION_MAJOR 0
#define GW_VERSION_MINOR 1
#define GW_VERSION_PATCH 0

/// The version as text, e.g. "0.1.0".
#define GW_VERSION "0.1.0"

/// Marks what the compiled library offers; everything else is hidden.
#define GW_EXPORT __attribute__((visibility("default")))
