# The warnings that gw is written without. Only when gw is the project being built: a consumer chooses its own.
add_library(gw_warnings INTERFACE)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(gw_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${GW_WERROR}>:-Werror>)
endif()
# GCC 12 sees overlapping copies and uninitialised parts in std::string's own code where there are none (GCC bugs 105651, 105562),
# and takes one inlined half of Asio's operator new and delete for a mismatch with the other.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(gw_warnings INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
endif()
