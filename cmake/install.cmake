# The library, the public headers, and the package that find_package(gw) reads.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gw)

install(TARGETS gw gw_core EXPORT gwTargets)
if(NOT gw_yaml_package)
  install(TARGETS yaml-cpp EXPORT gwTargets)
endif()
if(TARGET gw_tool)
  install(TARGETS gw_tool)
endif()
install(DIRECTORY include/gw DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(FILES docs/gw.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/gw)
install(EXPORT gwTargets NAMESPACE gw:: DESTINATION ${package_dir})

configure_package_config_file(cmake/gwConfig.cmake.in gwConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(gwConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gwConfig.cmake ${PROJECT_BINARY_DIR}/gwConfigVersion.cmake cmake/FindAsio.cmake cmake/FindCAres.cmake
        cmake/FindRE2.cmake DESTINATION ${package_dir})
