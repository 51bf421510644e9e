# gw_unit_tests(FILE...): builds the program gw_unit from tests/unit/main.cpp and the files, which stand in tests/unit,
# and adds one ctest test per file, so that the summary says which subject fails.
function(gw_unit_tests)
  list(TRANSFORM ARGN PREPEND unit/ OUTPUT_VARIABLE files)
  # Unit tests look at internals, which a shared gw hides; so the program takes gw's objects and not the library.
  add_executable(gw_unit unit/main.cpp ${files} $<TARGET_OBJECTS:gw> ${gw_llhttp_objects})
  set_target_properties(gw_unit PROPERTIES CXX_EXTENSIONS OFF)
  target_include_directories(gw_unit PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(gw_unit PRIVATE ${gw_asio_definitions} GW_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
                                             GW_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(gw_unit PRIVATE gw_core asio::asio ${gw_private_dependencies} gw_warnings doctest::doctest)
  foreach(file ${ARGN})
    string(REGEX REPLACE "_test\\.cpp$" "" name ${file})
    string(REPLACE "/" "." name ${name})
    add_test(NAME unit.${name} COMMAND gw_unit "--source-file=*/unit/${file}")
    # A pattern that matches nothing would pass without having tested anything.
    set_tests_properties(unit.${name} PROPERTIES TIMEOUT 240 FAIL_REGULAR_EXPRESSION "test cases: +0 ")
  endforeach()
endfunction()

# gw_fuzz_targets(NAME...): builds gw_fuzz_NAME from tests/fuzz/NAME_fuzz.cpp: with GW_FUZZ a program that fuzzes, else a test that
# replays the seeds.
function(gw_fuzz_targets)
  foreach(name ${ARGN})
    add_executable(gw_fuzz_${name} fuzz/${name}_fuzz.cpp)
    target_include_directories(gw_fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(gw_fuzz_${name} PRIVATE gw gw_warnings)
    if(GW_FUZZ)
      target_link_options(gw_fuzz_${name} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(gw_fuzz_${name} PRIVATE fuzz/replay.cpp)
      add_test(NAME fuzz.seeds.${name} COMMAND gw_fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seeds/${name})
    endif()
  endforeach()
endfunction()
