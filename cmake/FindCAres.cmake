# Finds c-ares: the CMake package that newer versions install, else header and library (Debian 12).
# Defines the target c-ares::cares and the variables CAres_FOUND and CAres_VERSION.
find_package(c-ares CONFIG QUIET)
if(TARGET c-ares::cares)
  set(CAres_TARGET c-ares::cares)
  set(CAres_VERSION ${c-ares_VERSION})
else()
  find_path(CAres_HEADER_DIR ares.h HINTS ${CAres_ROOT} PATH_SUFFIXES include)
  find_library(CAres_LIBRARY cares HINTS ${CAres_ROOT} PATH_SUFFIXES lib)
  mark_as_advanced(CAres_HEADER_DIR CAres_LIBRARY)
  if(CAres_HEADER_DIR AND CAres_LIBRARY)
    set(CAres_TARGET c-ares::cares)
    file(STRINGS "${CAres_HEADER_DIR}/ares_version.h" CAres_VERSION REGEX "define ARES_VERSION_STR ")
    string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" CAres_VERSION "${CAres_VERSION}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAres REQUIRED_VARS CAres_TARGET VERSION_VAR CAres_VERSION)

if(CAres_FOUND AND NOT TARGET c-ares::cares)
  add_library(c-ares::cares UNKNOWN IMPORTED)
  set_target_properties(c-ares::cares PROPERTIES
    IMPORTED_LOCATION "${CAres_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${CAres_HEADER_DIR}")
endif()
