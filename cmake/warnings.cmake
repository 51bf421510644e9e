# The warnings that gw is written without. Only when gw is the project being built: a consumer chooses its own.
add_library(gw_warnings INTERFACE)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(gw_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${GW_WERROR}>:-Werror>)
endif()
