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
