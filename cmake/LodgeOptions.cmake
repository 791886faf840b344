# Compiler settings shared by every target. Presets choose the values; see CMakePresets.json.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

option(LODGE_TESTS "Build the tests" ON)
option(LODGE_WERROR "Treat warnings as errors" OFF)
option(LODGE_HARDENING "Harden the binaries" OFF)
option(LODGE_COVERAGE "Instrument for coverage" OFF)
option(LODGE_UNITY "Compile the files of a directory together" OFF)
option(LODGE_FUZZ "Build the fuzz targets (needs clang)" OFF)
set(LODGE_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them")

find_program(LODGE_CCACHE ccache)
if(LODGE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER "${LODGE_CCACHE}")
    set(CMAKE_CXX_COMPILER_LAUNCHER "${LODGE_CCACHE}")
endif()

add_library(lodge_options INTERFACE)
target_include_directories(lodge_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(lodge_options INTERFACE _GNU_SOURCE LODGE_VERSION="${PROJECT_VERSION}")
target_compile_options(lodge_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wformat=2 -Wimplicit-fallthrough
    -Wswitch-enum -Wundef -Wno-missing-field-initializers
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>)
if(LODGE_WERROR)
    target_compile_options(lodge_options INTERFACE -Werror)
endif()
if(LODGE_HARDENING)
    target_compile_definitions(lodge_options INTERFACE _FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
    target_compile_options(lodge_options INTERFACE
        -fstack-protector-strong -fstack-clash-protection -fcf-protection)
    target_link_options(lodge_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(LODGE_SANITIZE)
    target_compile_options(lodge_options INTERFACE
        -fsanitize=${LODGE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(lodge_options INTERFACE -fsanitize=${LODGE_SANITIZE})
endif()
if(LODGE_FUZZ)
    target_compile_options(lodge_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(LODGE_COVERAGE)
    target_compile_options(lodge_options INTERFACE --coverage)
    target_link_options(lodge_options INTERFACE --coverage)
endif()
