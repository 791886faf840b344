#include "daemon/monitor/attach.hpp"

#include "daemon/monitor/protocol.hpp"
#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

constexpr std::uint64_t kNoDanger = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

// The covers do not confine a tenant: the container's root may unmount them or mount another proc,
// as on a machine of its own. The wall is the user namespace, in which these files belong to no
// known id. The covers keep programs from trying (systemd, udev and sysctl check whether /sys and
// /proc/sys are writable) and tenants from reading the host's values by accident.
constexpr std::array kReadOnly{"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
// Network settings belong to the network namespace, so they are the container's own.
constexpr const char* kWritable = "proc/sys/net";
// The groups whose members may ping without a privilege. A new network namespace has none, and the
// kernel refuses the values of distributions (up to 2147483647) where those ids do not exist.
constexpr const char* kPingGroups = "proc/sys/net/ipv4/ping_group_range";
// World-readable files that are lists: a reader takes an empty one for an empty list. Files that
// only the host's root may open (kmsg, kcore, timer_list) have no cover: every reader knows the
// kernel's refusal, while a log daemon would read the end of an empty kmsg for ever.
constexpr std::array kHiddenFiles{"proc/keys", "proc/key-users", "proc/latency_stats"};
// Block devices of the host and of neighbours: their number and what is on each.
constexpr std::array kHiddenDirectories{"proc/acpi",
                                        "proc/asound",
                                        "proc/scsi",
                                        "sys/firmware",
                                        "sys/block",
                                        "sys/class/block",
                                        "sys/dev/block",
                                        "sys/devices/virtual/block"};

Result<kernel::DirFd> directory_for_mount(int root, const char* path) {
    auto directory = kernel::open_hostile(
        root, path, O_PATH | O_DIRECTORY, 0, kernel::Resolve::beneath_no_symlinks);
    if (!directory && directory.error().sys_errno() == ENOENT) {
        RETURN_IF_ERROR(kernel::make_directory_at(root, path, 0755));
        directory = kernel::open_hostile(
            root, path, O_PATH | O_DIRECTORY, 0, kernel::Resolve::beneath_no_symlinks);
    }
    return with_context(std::move(directory), std::string("mount over the container's /") + path);
}

Status put(const kernel::MountFd& mount, int root, const char* path) {
    ASSIGN_OR_RETURN(const kernel::DirFd place, directory_for_mount(root, path));
    return kernel::attach_mount(mount.get(), place.get(), "");
}

// A path of a filesystem that we just mounted. Not every kernel has every file.
Result<UniqueFd> own_path(int root, const char* path) {
    auto fd = kernel::open_hostile(root, path, O_PATH, 0, kernel::Resolve::beneath_no_symlinks);
    if (!fd && fd.error().sys_errno() == ENOENT) {
        return UniqueFd();
    }
    return fd;
}

Status bind_onto_itself(int root, const char* path, bool read_only) {
    ASSIGN_OR_RETURN(const UniqueFd place, own_path(root, path));
    if (!place) {
        return {};
    }
    ASSIGN_OR_RETURN(const kernel::MountFd mount, kernel::clone_mount(place.get(), ""));
    RETURN_IF_ERROR(kernel::set_mount_attributes(
        mount.get(),
        kernel::MountAttributes{.set = kNoDanger | (read_only ? MOUNT_ATTR_RDONLY : 0U),
                                .clear = read_only ? 0U : MOUNT_ATTR_RDONLY}));
    return kernel::attach_mount(mount.get(), place.get(), "");
}

Status cover(int root, const char* path, const kernel::MountFd& with) {
    ASSIGN_OR_RETURN(const UniqueFd place, own_path(root, path));
    if (!place) {
        return {};
    }
    ASSIGN_OR_RETURN(const kernel::MountFd mount, kernel::clone_mount(with.get(), ""));
    return kernel::attach_mount(mount.get(), place.get(), "");
}

Status write_protect(int root) {
    for (const char* path : kReadOnly) {
        RETURN_IF_ERROR(bind_onto_itself(root, path, true));
    }
    // Made writable again within /proc/sys.
    return bind_onto_itself(root, kWritable, false);
}

// A kernel without IPv4 has no such file.
Status let_everybody_ping(int root) {
    const std::string all = "0 " + std::to_string(kIdsPerContainer - 1);
    const Status written = kernel::write_control(root, kPingGroups, all);
    return written || written.error().sys_errno() == ENOENT
               ? Status{}
               : with_context(written, "let every group ping");
}

Status hide(int root, const OwnMounts& mounts) {
    ASSIGN_OR_RETURN(const UniqueFd null, own_path(root, "dev/null"));
    for (const char* path : kHiddenFiles) {
        RETURN_IF_ERROR(cover(root, path, null));
    }
    // Attached somewhere first: before Linux 6.15 only an attached mount can be cloned.
    RETURN_IF_ERROR(kernel::make_directory_at(mounts.run.get(), "host/nothing", 0555));
    RETURN_IF_ERROR(kernel::attach_mount(mounts.nothing.get(), mounts.run.get(), "host/nothing"));
    for (const char* path : kHiddenDirectories) {
        RETURN_IF_ERROR(cover(root, path, mounts.nothing));
    }
    return {};
}

Result<kernel::MountFd> simple(const char* type,
                               std::vector<kernel::FilesystemOption> options,
                               std::uint64_t attributes,
                               bool read_only = false) {
    return kernel::new_mount(kernel::NewFilesystem{.type = type,
                                                   .source = type,
                                                   .options = std::move(options),
                                                   .read_only = read_only,
                                                   .attributes = attributes});
}

Status write_new_file(int directory, const char* name, const std::string& content) {
    ASSIGN_OR_RETURN(
        const UniqueFd file,
        kernel::open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0444));
    return kernel::write_all(file.get(), content);
}

// The daemon sets the card's addresses and routes from outside. systemd-networkd would replace them
// by those of its own configuration, for example of a DHCP server that does not exist. It obeys the
// first file, of whatever directory, whose name matches the link: '!' sorts before every name in a
// tree. An empty file of this name in /etc/systemd/network masks ours.
constexpr const char* kNetworkdFile = "!lodge.network";
constexpr const char* kNetworkdText =
    R"(# Lodge sets the addresses and routes of this link from outside.
[Match]
Name=eth0

[Network]
DHCP=no
IPv6AcceptRA=no
KeepConfiguration=yes
)";

Status tell_networkd(int run) {
    RETURN_IF_ERROR(kernel::make_directory_at(run, "systemd", 0755));
    RETURN_IF_ERROR(kernel::make_directory_at(run, "systemd/network", 0755));
    ASSIGN_OR_RETURN(const kernel::DirFd directory,
                     kernel::open_directory_at(run, "systemd/network"));
    return write_new_file(directory.get(), kNetworkdFile, kNetworkdText);
}

// systemd's CONTAINER_INTERFACE: /run/host tells programs that are not init what they run in.
Status fill_run(int run, const std::string& uuid) {
    RETURN_IF_ERROR(kernel::make_directory_at(run, "host", 0755));
    ASSIGN_OR_RETURN(const kernel::DirFd host, kernel::open_directory_at(run, "host"));
    RETURN_IF_ERROR(write_new_file(host.get(), "container-manager", "lodge\n"));
    RETURN_IF_ERROR(write_new_file(host.get(), "container-uuid", uuid + "\n"));
    return tell_networkd(run);
}

// In containers inside the container, a nested user namespace may mount proc and sysfs only where
// it sees the whole of one ("VFS: Mount too revealing"), and ours have parts covered. Behind a
// directory that only root enters; covering hides nothing from root anyway.
Status attach_unmasked(const OwnMounts& mounts) {
    RETURN_IF_ERROR(kernel::make_directory_at(mounts.run.get(), "host/unmasked", 0700));
    struct Entry {
        const char* path;
        const kernel::MountFd& mount;
    };
    for (const Entry& entry :
         {Entry{"host/unmasked/proc", mounts.proc}, Entry{"host/unmasked/sys", mounts.sys}}) {
        RETURN_IF_ERROR(kernel::make_directory_at(mounts.run.get(), entry.path, 0555));
        ASSIGN_OR_RETURN(const kernel::MountFd copy, kernel::clone_mount(entry.mount.get(), ""));
        RETURN_IF_ERROR(kernel::attach_mount(copy.get(), mounts.run.get(), entry.path));
    }
    return {};
}

} // namespace

Result<OwnMounts> make_own_mounts() {
    OwnMounts own;
    ASSIGN_OR_RETURN(own.proc, simple("proc", {}, kNoDanger));
    ASSIGN_OR_RETURN(own.sys, simple("sysfs", {}, kNoDanger | MOUNT_ATTR_RDONLY));
    ASSIGN_OR_RETURN(own.cgroup, simple("cgroup2", {}, kNoDanger));
    ASSIGN_OR_RETURN(own.terminals,
                     simple("devpts",
                            {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}},
                            MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    ASSIGN_OR_RETURN(own.shared_memory,
                     simple("tmpfs", {{"mode", "1777"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    ASSIGN_OR_RETURN(own.message_queues, simple("mqueue", {}, kNoDanger));
    ASSIGN_OR_RETURN(own.run,
                     simple("tmpfs",
                            {{"mode", "0755"}, {"size", "20%"}, {"nr_inodes", "800k"}},
                            MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    ASSIGN_OR_RETURN(own.nothing,
                     simple("tmpfs",
                            {{"mode", "0555"}, {"size", "4k"}, {"nr_inodes", "1"}},
                            kNoDanger | MOUNT_ATTR_RDONLY));
    return own;
}

Status attach_own_mounts(int root, const OwnMounts& mounts, const std::string& uuid) {
    struct Place {
        const kernel::MountFd& mount;
        const char* path;
    };
    // In this order: some are mounted on others.
    for (const Place& place : {Place{mounts.proc, "proc"},
                               Place{mounts.sys, "sys"},
                               Place{mounts.cgroup, "sys/fs/cgroup"},
                               Place{mounts.devices, "dev"},
                               Place{mounts.terminals, "dev/pts"},
                               Place{mounts.shared_memory, "dev/shm"},
                               Place{mounts.message_queues, "dev/mqueue"},
                               Place{mounts.run, "run"}}) {
        RETURN_IF_ERROR(put(place.mount, root, place.path));
    }
    RETURN_IF_ERROR(fill_run(mounts.run.get(), uuid));
    RETURN_IF_ERROR(attach_unmasked(mounts));
    RETURN_IF_ERROR(write_protect(root));
    RETURN_IF_ERROR(let_everybody_ping(root));
    return hide(root, mounts);
}

Status attach_console(int root, unsigned number) {
    ASSIGN_OR_RETURN(const UniqueFd place, own_path(root, "dev/console"));
    const std::string path = "dev/pts/" + std::to_string(number);
    ASSIGN_OR_RETURN(const UniqueFd terminal, own_path(root, path.c_str()));
    if (!place || !terminal) {
        return fail(ErrorCode::kernel, "the console's terminal did not appear");
    }
    ASSIGN_OR_RETURN(const kernel::MountFd mount, kernel::clone_mount(terminal.get(), ""));
    return kernel::attach_mount(mount.get(), place.get(), "");
}

} // namespace lodge::monitor
