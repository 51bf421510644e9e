/// \file
/// The program that runs every unit test; doctest brings its `main`.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
