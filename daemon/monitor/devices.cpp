#include "daemon/monitor/start.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/privileges.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

struct Node {
    const char* path;
    unsigned major_number;
    unsigned minor_number;
};

// The devices that are namespaced or hold no state of the host. fuse and tun need capabilities of
// the opener's own namespaces; without the module on the host, open(2) is ENODEV or ENXIO.
constexpr std::array kNodes{
    Node{"null", 1, 3},
    Node{"zero", 1, 5},
    Node{"full", 1, 7},
    Node{"random", 1, 8},
    Node{"urandom", 1, 9},
    Node{"tty", 5, 0},
    Node{"fuse", 10, 229},
    Node{"net/tun", 10, 200},
};

struct Link {
    const char* path;
    const char* target;
};

constexpr std::array kLinks{
    Link{"fd", "/proc/self/fd"},
    Link{"stdin", "/proc/self/fd/0"},
    Link{"stdout", "/proc/self/fd/1"},
    Link{"stderr", "/proc/self/fd/2"},
    Link{"ptmx", "pts/ptmx"},
};

Status fill(int devices) {
    for (const char* directory : {"net", "pts", "shm", "mqueue"}) {
        if (::mkdirat(devices, directory, 0755) != 0) {
            return fail_errno("mkdir", directory);
        }
    }
    for (const Node& node : kNodes) {
        if (::mknodat(devices,
                      node.path,
                      S_IFCHR | 0666,
                      makedev(node.major_number, node.minor_number)) != 0) {
            return fail_errno("mknod", node.path);
        }
    }
    for (const Link& link : kLinks) {
        if (::symlinkat(link.target, devices, link.path) != 0) {
            return fail_errno("symlink", link.path);
        }
    }
    // The console's PTY is mounted over this file.
    if (::mknodat(devices, "console", S_IFREG | 0600, 0) != 0) {
        return fail_errno("mknod", "console");
    }
    return {};
}

} // namespace

Result<kernel::MountFd> build_devices(std::uint32_t uid_base) {
    // Made by the host's root, so that device nodes work on it (a tmpfs made in a user namespace
    // refuses to open any); owned by the container's root, as /dev is on a machine of one's own.
    // The tenant can add no nodes: mknod(2) asks for CAP_MKNOD on the host.
    const std::string id = std::to_string(uid_base);
    ASSIGN_OR_RETURN(
        kernel::MountFd devices,
        kernel::new_mount(kernel::NewFilesystem{
            .type = "tmpfs",
            .source = "dev",
            .options =
                {{"mode", "0755"}, {"uid", id}, {"gid", id}, {"size", "4m"}, {"nr_inodes", "16k"}},
            .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC}));
    ASSIGN_OR_RETURN(const kernel::FilesystemIds ids,
                     kernel::FilesystemIds::assume(uid_base, uid_base));
    const mode_t former = ::umask(0);
    Status status = fill(devices.get());
    (void)::umask(former);
    RETURN_IF_ERROR(status);
    return devices;
}

} // namespace lodge::monitor
