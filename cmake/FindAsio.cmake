# Finds standalone Asio (headers only): target asio::asio, variables Asio_FOUND and Asio_VERSION.
# A CMake package of Asio, which some package managers make, is taken first; else the headers, Asio_ROOT included.
if(NOT TARGET asio::asio)
  find_package(asio CONFIG QUIET)
endif()
if(TARGET asio::asio)
  get_target_property(Asio_INCLUDE_DIR asio::asio INTERFACE_INCLUDE_DIRECTORIES)
  find_path(Asio_HEADER_DIR asio/version.hpp HINTS ${Asio_INCLUDE_DIR})
else()
  find_path(Asio_HEADER_DIR asio/version.hpp)
endif()
mark_as_advanced(Asio_HEADER_DIR)

if(Asio_HEADER_DIR)
  # ASIO_VERSION is 100000 * major + 100 * minor + patch.
  file(STRINGS "${Asio_HEADER_DIR}/asio/version.hpp" Asio_VERSION REGEX "define ASIO_VERSION ")
  string(REGEX MATCH "[0-9]+" Asio_VERSION "${Asio_VERSION}")
  math(EXPR Asio_VERSION_MAJOR "${Asio_VERSION} / 100000")
  math(EXPR Asio_VERSION_MINOR "${Asio_VERSION} / 100 % 1000")
  math(EXPR Asio_VERSION_PATCH "${Asio_VERSION} % 100")
  set(Asio_VERSION ${Asio_VERSION_MAJOR}.${Asio_VERSION_MINOR}.${Asio_VERSION_PATCH})
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Asio REQUIRED_VARS Asio_HEADER_DIR VERSION_VAR Asio_VERSION)

if(Asio_FOUND AND NOT TARGET asio::asio)
  find_package(Threads REQUIRED)
  add_library(asio::asio INTERFACE IMPORTED)
  set_target_properties(asio::asio PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${Asio_HEADER_DIR}"
    INTERFACE_COMPILE_DEFINITIONS ASIO_STANDALONE
    INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
