# What gw needs. Nothing is downloaded unless GW_FETCH_DEPS is ON.
# Defines: gw_asio_definitions, gw_llhttp_objects, gw_private_dependencies, gw_yaml_package (OFF if yaml-cpp was fetched),
# gw_re2_package (whether RE2 is used), gw_regex_definitions.
list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
include(${CMAKE_CURRENT_LIST_DIR}/fetch.cmake)

# Asio: in public headers. 1.22.1 is the first that has all of cancellation that gw uses.
find_package(Asio 1.22.1 QUIET)
if(NOT Asio_FOUND)
  message(FATAL_ERROR "Asio 1.22.1 or newer (standalone) was not found: apt install libasio-dev, or -DAsio_ROOT=DIR")
endif()
# Asio 1.22 does not see that clang has coroutines. A request takes up to ten coroutine frames: Asio keeps so many for
# reuse instead of two. Whether it sees aligned_alloc depends on what a file includes before it; then one file frees with
# free() what another got from operator new. These are PUBLIC: every file of a program must agree on them.
set(gw_asio_definitions
  ASIO_NO_DEPRECATED ASIO_HAS_STD_ALIGNED_ALLOC=1 ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=16 $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_CO_AWAIT=1> $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_STD_COROUTINE=1>)

# RapidJSON: headers only. Not every package of it defines a target.
find_path(RapidJSON_HEADER_DIR rapidjson/document.h HINTS ${RapidJSON_ROOT} PATH_SUFFIXES include)
mark_as_advanced(RapidJSON_HEADER_DIR)
set(gw_rapidjson_dir ${RapidJSON_HEADER_DIR})
if(NOT gw_rapidjson_dir)
  gw_fetch(rapidjson gw_rapidjson_dir "apt install rapidjson-dev, or -DRapidJSON_ROOT=DIR")
  string(APPEND gw_rapidjson_dir /include)
endif()
add_library(gw_rapidjson INTERFACE)
target_include_directories(gw_rapidjson SYSTEM INTERFACE ${gw_rapidjson_dir})
# A namespace of our own keeps gw's copy apart from another one in the same program; RapidJSON's iterator class is
# ambiguous to compare in C++20.
target_compile_definitions(gw_rapidjson INTERFACE RAPIDJSON_NAMESPACE=gw_rapidjson_ns RAPIDJSON_NOMEMBERITERATORCLASS)

# yaml-cpp: up to 0.7 the target is yaml-cpp, later yaml-cpp::yaml-cpp.
find_package(yaml-cpp 0.7 QUIET)
set(gw_yaml_package ${yaml-cpp_FOUND})
if(NOT yaml-cpp_FOUND)
  gw_fetch(yaml-cpp gw_yaml_dir "apt install libyaml-cpp-dev, or -Dyaml-cpp_ROOT=DIR")
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
  set(YAML_BUILD_SHARED_LIBS OFF)
  set(YAML_CPP_BUILD_TESTS OFF)
  set(YAML_CPP_BUILD_TOOLS OFF)
  set(YAML_CPP_BUILD_CONTRIB OFF)
  set(YAML_CPP_INSTALL OFF)
  add_subdirectory(${gw_yaml_dir} ${PROJECT_BINARY_DIR}/yaml-cpp EXCLUDE_FROM_ALL)
  set_target_properties(yaml-cpp PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
endif()
set(gw_yaml_target yaml-cpp)
if(TARGET yaml-cpp::yaml-cpp)
  set(gw_yaml_target yaml-cpp::yaml-cpp)
endif()

# libcrypto, for digests and comparison in constant time. 3.0 is the first whose algorithms can be fetched once and kept.
find_package(OpenSSL 3.0 QUIET COMPONENTS Crypto)
if(NOT TARGET OpenSSL::Crypto)
  message(FATAL_ERROR "libcrypto of OpenSSL 3.0 or newer was not found: apt install libssl-dev, or -DOPENSSL_ROOT_DIR=DIR")
endif()

# libcrypt, for hashes of passwords: libxcrypt, because glibc's own knows neither yescrypt nor bcrypt.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES crypt)
check_c_source_compiles("#include <crypt.h>\nint main(void) { return crypt_checksalt(\"$6$\"); }" GW_HAS_LIBXCRYPT)
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT GW_HAS_LIBXCRYPT)
  message(FATAL_ERROR "libxcrypt 4.3 or newer was not found: apt install libcrypt-dev")
endif()

# c-ares, for names in DNS with their times to live, and without a thread for each look-up. 1.18 is the oldest it is tested with.
find_package(CAres 1.18 QUIET)
if(NOT CAres_FOUND)
  message(FATAL_ERROR "c-ares 1.18 or newer was not found: apt install libc-ares-dev, or -DCAres_ROOT=DIR")
endif()

include(${CMAKE_CURRENT_LIST_DIR}/llhttp.cmake)

# RE2: routes by regular expression. Without it gw does all else.
set(gw_re2_package OFF)
set(gw_re2_target)
set(gw_regex_definitions)
if(NOT GW_REGEX STREQUAL "OFF")
  find_package(RE2 QUIET)
  if(RE2_FOUND)
    set(gw_re2_package ON)
    set(gw_re2_target re2::re2)
    set(gw_regex_definitions GW_WITH_RE2=1)
  elseif(NOT GW_REGEX STREQUAL "AUTO")
    message(FATAL_ERROR "RE2 was not found: apt install libre2-dev, or -DRE2_ROOT=DIR, or -DGW_REGEX=OFF")
  endif()
endif()

set(gw_private_dependencies OpenSSL::Crypto crypt c-ares::cares ${gw_yaml_target} $<BUILD_INTERFACE:gw_rapidjson> ${gw_llhttp_target} ${gw_re2_target})

# Makes doctest::doctest; for the tests alone.
macro(gw_need_doctest)
  find_package(doctest QUIET)
  if(NOT TARGET doctest::doctest)
    gw_fetch(doctest gw_doctest_dir "apt install doctest-dev")
    add_library(doctest::doctest INTERFACE IMPORTED)
    set_target_properties(doctest::doctest PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${gw_doctest_dir})
  endif()
endmacro()

# Makes CLI11::CLI11; for the program gw alone.
macro(gw_need_cli11)
  find_package(CLI11 QUIET)
  if(NOT TARGET CLI11::CLI11)
    gw_fetch(cli11 gw_cli11_dir "apt install libcli11-dev")
    add_library(CLI11::CLI11 INTERFACE IMPORTED)
    set_target_properties(CLI11::CLI11 PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${gw_cli11_dir}/include)
  endif()
endmacro()
