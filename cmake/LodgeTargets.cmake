# lodge_unite(NAME): with LODGE_UNITY, files of one directory are compiled together, so many at a
# time that two processors share a target. Most of the time of a file is that of its headers. Names
# without linkage must differ within a directory; each file still includes what it uses, which the
# debug preset proves.
function(lodge_unite name)
    if(NOT LODGE_UNITY)
        return()
    endif()
    get_target_property(sources ${name} SOURCES)
    foreach(source IN LISTS sources)
        get_filename_component(directory "${source}" DIRECTORY)
        string(MAKE_C_IDENTIFIER "of_${directory}" group)
        math(EXPR ${group} "${${group}} + 1")
        math(EXPR part "(${${group}} - 1) / 8")
        set_source_files_properties("${source}" PROPERTIES UNITY_GROUP "${name}_${group}_${part}")
    endforeach()
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

# lodge_library(NAME SOURCES ... [PUBLIC targets...] [PRIVATE targets...])
# A room of the house. PUBLIC names rooms whose headers appear in this one's headers; PRIVATE names
# rooms and C libraries used only inside, so that their headers stay out of everybody else's reach.
function(lodge_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC lodge_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
    lodge_unite(${name})
endfunction()

# lodge_program(NAME [CONFINED] SOURCES ... LIBS ...): a program, put into bin/. CONFINED: it leaves
# the host's /proc behind.
function(lodge_program name)
    cmake_parse_arguments(ARG "CONFINED" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    lodge_unite(${name})
    if(ARG_CONFINED AND LODGE_SANITIZE MATCHES address)
        target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/confined_sanitizer.cpp")
    endif()
    if(LODGE_SANITIZE MATCHES thread)
        target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/thread_sanitizer.cpp")
    endif()
    target_link_libraries(${name} PRIVATE lodge_options ${ARG_LIBS})
endfunction()

# lodge_compile_fast(NAME): for tests. They wait for the product; what they do themselves need not be
# fast, so compiling them should be. So for the command line in builds with sanitizers.
function(lodge_compile_fast name)
    target_compile_options(${name} PRIVATE -O0 -g1 -U_FORTIFY_SOURCE)
endfunction()

# lodge_test(NAME TIER tier SOURCES ... LIBS ...): one GoogleTest program of a tier, put into
# bin/tests/ and run by ctest as one test with the tier as its label.
function(lodge_test name)
    cmake_parse_arguments(ARG "" "TIER" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE lodge_options ${ARG_LIBS})
    lodge_compile_fast(${name})
    lodge_unite(${name})
    # Thousands of runs over a fake host: the one that computes. Not those that fork, without which it
    # runs under sanitizers.
    if(ARG_TIER STREQUAL fault AND NOT LODGE_SANITIZE)
        target_compile_options(${name} PRIVATE -O1)
    endif()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/tests")
    target_compile_definitions(${name} PRIVATE
        LODGE_BIN_DIR="${PROJECT_BINARY_DIR}/bin" LODGE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_TIER}")
    set_property(GLOBAL APPEND PROPERTY LODGE_TESTS_${ARG_TIER} ${name})
endfunction()
