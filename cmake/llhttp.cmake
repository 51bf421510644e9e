# llhttp, the HTTP/1 tokenizer: GW_LLHTTP_SOURCE_DIR, else an installed package, else the sources that Debian's
# node-llhttp installs, else (GW_FETCH_DEPS) a pinned release.
# Sources are compiled into gw with hidden symbols, so that another llhttp in the same program cannot clash.
# Defines: gw_llhttp_target, gw_llhttp_objects, gw_llhttp_package (whether users of a static gw need the package).
set(gw_llhttp_objects)
set(gw_llhttp_package OFF)

if(NOT GW_LLHTTP_SOURCE_DIR)
  # No version: llhttp older than 9.4 installs no version file.
  find_package(llhttp CONFIG QUIET)
  foreach(name llhttp::llhttp llhttp::llhttp_static llhttp::llhttp_shared)
    if(TARGET ${name} AND NOT gw_llhttp_package)
      set(gw_llhttp_target ${name})
      set(gw_llhttp_package ON)
    endif()
  endforeach()
endif()

# Sets llhttp_header_dir and llhttp_c_dir to where a tree has them; Debian's has them in two places.
macro(gw_find_llhttp tree)
  find_path(llhttp_header_dir llhttp.h PATHS ${tree} PATH_SUFFIXES include include/llhttp NO_DEFAULT_PATH NO_CACHE)
  find_path(llhttp_c_dir llhttp.c PATHS ${tree} PATH_SUFFIXES src llhttp NO_DEFAULT_PATH NO_CACHE)
endmacro()

if(NOT gw_llhttp_package)
  if(GW_LLHTTP_SOURCE_DIR)
    gw_find_llhttp(${GW_LLHTTP_SOURCE_DIR})
    if(NOT llhttp_header_dir OR NOT llhttp_c_dir)
      message(FATAL_ERROR "GW_LLHTTP_SOURCE_DIR (${GW_LLHTTP_SOURCE_DIR}) has no include/llhttp.h and src/llhttp.c")
    endif()
  else()
    gw_find_llhttp(/usr/share)
    if(NOT llhttp_header_dir OR NOT llhttp_c_dir)
      gw_fetch(llhttp llhttp_dir "apt install node-llhttp, or -DGW_LLHTTP_SOURCE_DIR=DIR")
      gw_find_llhttp(${llhttp_dir}/vendor/llhttp)
    endif()
  endif()
  file(STRINGS ${llhttp_header_dir}/llhttp.h major REGEX "define LLHTTP_VERSION_MAJOR ")
  string(REGEX MATCH "[0-9]+" major "${major}")

  add_library(gw_llhttp_objects OBJECT ${llhttp_c_dir}/api.c ${llhttp_c_dir}/http.c ${llhttp_c_dir}/llhttp.c)
  set_target_properties(gw_llhttp_objects PROPERTIES C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  target_include_directories(gw_llhttp_objects PRIVATE ${llhttp_header_dir})
  set(gw_llhttp_objects $<TARGET_OBJECTS:gw_llhttp_objects>)

  add_library(gw_llhttp INTERFACE)
  target_include_directories(gw_llhttp SYSTEM INTERFACE ${llhttp_header_dir})
  set(gw_llhttp_target $<BUILD_INTERFACE:gw_llhttp>)
  if(major LESS 9)
    # Without this, llhttp 8 takes any byte for the LF after a CR.
    target_compile_definitions(gw_llhttp_objects PRIVATE LLHTTP_STRICT_MODE=1)
    target_compile_definitions(gw_llhttp INTERFACE LLHTTP_STRICT_MODE=1)
  endif()
endif()
