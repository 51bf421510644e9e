# The dependencies that GW_FETCH_DEPS can download, each pinned to one file by its hash. Asio is not among them: no
# archive of it could be pinned as the others are.
set(gw_pin_llhttp  # llhttp 9.4.1, as generated C; releases of llhttp itself hold no C
  https://files.pythonhosted.org/packages/43/e5/d471fcb0e14523fe1c3f4ba58ca52480e7bd70ad7109a3846bc75892f7fb/httptools-0.8.0.tar.gz
  6b2a32f18d97e16e90827d7a819ffa8dbd8cc245fc4e1fa9d1095b54ef4bd999)
set(gw_pin_rapidjson
  https://deb.debian.org/debian/pool/main/r/rapidjson/rapidjson_1.1.0+dfsg2.orig.tar.gz
  92aa6402743012e5f2c3db17def1ff5273df4f3ca7a8f8ed9f1041d392c14ce7)
set(gw_pin_yaml-cpp
  https://deb.debian.org/debian/pool/main/y/yaml-cpp/yaml-cpp_0.7.0+dfsg.orig.tar.xz
  dc63708605404e0b963e0ca3a9619d1c8270eda2839603e6fa0384e5e51e5312)
set(gw_pin_doctest
  https://deb.debian.org/debian/pool/main/d/doctest/doctest_2.4.9~ds.orig.tar.xz
  7cc78169975bea36e70ab9d67e7de9b03d89b38653499ad03243e3944429b1ab)
set(gw_pin_cli11
  https://deb.debian.org/debian/pool/main/c/cli11/cli11_2.1.2+ds.orig.tar.xz
  8143d20b688e98ccce8e24562d3b68e5f47c12e896c42c7ca8553dbde5bed55d)

# gw_fetch(NAME RESULT HINT): downloads a pinned dependency and sets RESULT to its source directory. Fails if GW_FETCH_DEPS is
# OFF, with HINT as what to do instead.
function(gw_fetch name result hint)
  if(NOT GW_FETCH_DEPS)
    message(FATAL_ERROR "${name} was not found: ${hint}, or -DGW_FETCH_DEPS=ON to download it")
  endif()
  if(POLICY CMP0135)
    cmake_policy(SET CMP0135 NEW)
  endif()
  include(FetchContent)
  list(GET gw_pin_${name} 0 url)
  list(GET gw_pin_${name} 1 hash)
  # No directory of that name: the sources are unpacked and nothing of their own build is run.
  FetchContent_Declare(gw_${name} URL ${url} URL_HASH SHA256=${hash} SOURCE_SUBDIR none)
  FetchContent_MakeAvailable(gw_${name})
  FetchContent_GetProperties(gw_${name} SOURCE_DIR directory)
  set(${result} ${directory} PARENT_SCOPE)
endfunction()
