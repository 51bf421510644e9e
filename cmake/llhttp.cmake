# llhttp, the HTTP/1 tokenizer: GW_LLHTTP_SOURCE_DIR, else an installed package, else the sources that Debian's
# node-llhttp installs, else (GW_FETCH_DEPS) a pinned release.
# Sources are compiled into gw with hidden symbols, so that another llhttp in the same program cannot clash.
# Defines: gw_llhttp_target, gw_llhttp_objects, gw_llhttp_package (whether users of a static gw need the package).
set(gw_llhttp_objects)
set(gw_llhttp_package OFF)
set(llhttp_sources)

if(GW_LLHTTP_SOURCE_DIR)
  set(llhttp_search ${GW_LLHTTP_SOURCE_DIR})
else()
  # No version: llhttp older than 9.4 installs no version file.
  find_package(llhttp CONFIG QUIET)
  foreach(name llhttp::llhttp llhttp::llhttp_static llhttp::llhttp_shared)
    if(TARGET ${name} AND NOT gw_llhttp_package)
      set(gw_llhttp_target ${name})
      set(gw_llhttp_package ON)
    endif()
  endforeach()
  set(llhttp_search /usr/share)
endif()

if(NOT gw_llhttp_package)
  find_path(GW_LLHTTP_HEADER_DIR llhttp.h PATHS ${llhttp_search} PATH_SUFFIXES include include/llhttp src NO_DEFAULT_PATH)
  find_path(GW_LLHTTP_C_DIR llhttp.c PATHS ${llhttp_search} PATH_SUFFIXES src llhttp NO_DEFAULT_PATH)
  mark_as_advanced(GW_LLHTTP_HEADER_DIR GW_LLHTTP_C_DIR)
  if(NOT GW_LLHTTP_HEADER_DIR OR NOT GW_LLHTTP_C_DIR)
    message(FATAL_ERROR "llhttp was not found: apt install node-llhttp, or -DGW_LLHTTP_SOURCE_DIR=DIR")
  endif()
  file(STRINGS ${GW_LLHTTP_HEADER_DIR}/llhttp.h major REGEX "define LLHTTP_VERSION_MAJOR ")
  string(REGEX MATCH "[0-9]+" major "${major}")

  add_library(gw_llhttp_objects OBJECT ${GW_LLHTTP_C_DIR}/api.c ${GW_LLHTTP_C_DIR}/http.c ${GW_LLHTTP_C_DIR}/llhttp.c)
  set_target_properties(gw_llhttp_objects PROPERTIES C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  target_include_directories(gw_llhttp_objects PRIVATE ${GW_LLHTTP_HEADER_DIR})
  set(gw_llhttp_objects $<TARGET_OBJECTS:gw_llhttp_objects>)

  add_library(gw_llhttp INTERFACE)
  target_include_directories(gw_llhttp SYSTEM INTERFACE ${GW_LLHTTP_HEADER_DIR})
  set(gw_llhttp_target $<BUILD_INTERFACE:gw_llhttp>)
  if(major LESS 9)
    # Without this, llhttp 8 takes any byte for the LF after a CR.
    target_compile_definitions(gw_llhttp_objects PRIVATE LLHTTP_STRICT_MODE=1)
    target_compile_definitions(gw_llhttp INTERFACE LLHTTP_STRICT_MODE=1)
  endif()
endif()
