# Finds RE2: the CMake package that newer versions install, which brings Abseil along, else header and library (Debian 12).
# Defines the target re2::re2.
find_package(re2 CONFIG QUIET)
if(TARGET re2::re2)
  set(RE2_TARGET re2::re2)
else()
  find_path(RE2_HEADER_DIR re2/re2.h HINTS ${RE2_ROOT} PATH_SUFFIXES include)
  find_library(RE2_LIBRARY re2 HINTS ${RE2_ROOT} PATH_SUFFIXES lib)
  mark_as_advanced(RE2_HEADER_DIR RE2_LIBRARY)
  if(RE2_HEADER_DIR AND RE2_LIBRARY)
    set(RE2_TARGET re2::re2)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(RE2 REQUIRED_VARS RE2_TARGET)

if(RE2_FOUND AND NOT TARGET re2::re2)
  find_package(Threads REQUIRED)
  add_library(re2::re2 UNKNOWN IMPORTED)
  set_target_properties(re2::re2 PROPERTIES
    IMPORTED_LOCATION "${RE2_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${RE2_HEADER_DIR}"
    INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
