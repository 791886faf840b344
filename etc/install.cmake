# Run by `cmake --install`: files that depend on the prefix, which may be chosen only then.
cmake_path(SET prefix NORMALIZE "${CMAKE_INSTALL_PREFIX}/.")
string(REGEX REPLACE "/$" "" prefix "${prefix}")
set(root "$ENV{DESTDIR}")

# lodged looks into /etc by itself. A prefix of its own keeps everything together.
if(prefix MATCHES "^/usr(/local)?$")
    set(configuration /etc/lodge)
    set(LODGE_ARGUMENTS "")
else()
    set(configuration "${prefix}/etc/lodge")
    set(LODGE_ARGUMENTS " --config ${configuration}/lodge.yaml")
endif()
set(LODGE_SBINDIR "${prefix}/${LODGE_SBIN}")

set(LODGE_BINDIR "${prefix}/${LODGE_BIN}")

foreach(name lodged lodge-containers)
    set(unit "${root}${prefix}/lib/systemd/system/${name}.service")
    message(STATUS "Installing: ${unit}")
    configure_file("${LODGE_SOURCE}/${name}.service.in" "${unit}" @ONLY
        FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()

# What an operator wrote is theirs.
if(EXISTS "${root}${configuration}/lodge.yaml")
    message(STATUS "Kept: ${root}${configuration}/lodge.yaml")
else()
    file(INSTALL "${LODGE_SOURCE}/lodge.yaml" DESTINATION "${configuration}"
        PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endif()

# Programs go without what only a debugger reads. It lies where gdb(1) looks for it when the prefix is
# /usr (Debugging Information in Separate Files), and is made of what was built: a program that was
# installed before may be stripped already.
function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
if(CMAKE_INSTALL_CONFIG_NAME MATCHES "^(Release|RelWithDebInfo)$" AND LODGE_OBJCOPY)
    foreach(program IN LISTS LODGE_PROGRAMS)
        cmake_path(GET program FILENAME name)
        set(debug "${root}${prefix}/lib/debug${prefix}/${program}.debug")
        cmake_path(GET debug PARENT_PATH directory)
        file(MAKE_DIRECTORY "${directory}")
        run("${LODGE_OBJCOPY}" --only-keep-debug "${LODGE_BUILT}/${name}" "${debug}")
        run(chmod 0644 "${debug}")
        run("${LODGE_OBJCOPY}" --strip-unneeded "--add-gnu-debuglink=${debug}" "${root}${prefix}/${program}")
        list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${prefix}/lib/debug${prefix}/${program}.debug")
        message(STATUS "Installing: ${debug}")
    endforeach()
endif()
