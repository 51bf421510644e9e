# What gw needs. Nothing is downloaded unless GW_FETCH_DEPS is ON.
# Defines: gw_asio_definitions, gw_llhttp_objects, gw_private_dependencies.
list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})

# Asio: in public headers. 1.22.1 is the first with what gw uses of cancellation.
find_package(Asio 1.22.1)
if(NOT Asio_FOUND)
  message(FATAL_ERROR "Asio 1.22.1 or newer (standalone) was not found: apt install libasio-dev, or -DAsio_ROOT=DIR")
endif()
# Asio 1.22 does not see that clang has coroutines. These are PUBLIC: every file of a program must agree on them.
set(gw_asio_definitions ASIO_NO_DEPRECATED $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_CO_AWAIT=1> $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_STD_COROUTINE=1>)

# yaml-cpp: 0.7 calls its target yaml-cpp, later ones yaml-cpp::yaml-cpp.
find_package(yaml-cpp 0.7 QUIET)
if(NOT yaml-cpp_FOUND)
  message(FATAL_ERROR "yaml-cpp 0.7 or newer was not found: apt install libyaml-cpp-dev, or -Dyaml-cpp_ROOT=DIR")
endif()
if(TARGET yaml-cpp::yaml-cpp)
  set(gw_yaml_target yaml-cpp::yaml-cpp)
else()
  set(gw_yaml_target yaml-cpp)
endif()

# RapidJSON: headers only, and its package defines no target everywhere.
find_path(RapidJSON_HEADER_DIR rapidjson/document.h HINTS ${RapidJSON_ROOT} PATH_SUFFIXES include)
mark_as_advanced(RapidJSON_HEADER_DIR)
if(NOT RapidJSON_HEADER_DIR)
  message(FATAL_ERROR "RapidJSON was not found: apt install rapidjson-dev, or -DRapidJSON_ROOT=DIR")
endif()
add_library(gw_rapidjson INTERFACE)
target_include_directories(gw_rapidjson SYSTEM INTERFACE ${RapidJSON_HEADER_DIR})
# A namespace of our own keeps gw's copy apart from another one in the same program; its member iterator class is
# ambiguous to compare in C++20.
target_compile_definitions(gw_rapidjson INTERFACE RAPIDJSON_NAMESPACE=gw_rapidjson_ns RAPIDJSON_NOMEMBERITERATORCLASS)

include(${CMAKE_CURRENT_LIST_DIR}/llhttp.cmake)

set(gw_private_dependencies ${gw_yaml_target} $<BUILD_INTERFACE:gw_rapidjson> ${gw_llhttp_target})
