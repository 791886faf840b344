#include "templates/tree.hpp"

#include "lib/kernel/fs.hpp"
#include "templates/tree_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::templates {

namespace {

bool is_real_directory(int tree_fd, const std::string& name) {
    struct stat info{};
    return ::fstatat(tree_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(info.st_mode);
}

Result<bool> is_program(int tree_fd, const std::string& path) {
    ASSIGN_OR_RETURN(const auto file, kernel::open_hostile_if_there(tree_fd, path, O_PATH));
    struct stat info{};
    return file && ::fstat(file->get(), &info) == 0 && S_ISREG(info.st_mode) &&
           (info.st_mode & 0111) != 0;
}

Result<std::string> find_init(int tree_fd) {
    for (const char* path : {"/sbin/init",
                             "/usr/sbin/init",
                             "/lib/systemd/systemd",
                             "/usr/lib/systemd/systemd",
                             "/bin/init",
                             "/init"}) {
        ASSIGN_OR_RETURN(const bool found, is_program(tree_fd, path));
        if (found) {
            return path;
        }
    }
    return fail(ErrorCode::invalid_argument,
                "this is not the root of a distribution: it has no init (/sbin/init and the "
                "like) that can be executed");
}

// CONTAINER_INTERFACE of systemd asks for SIGRTMIN+3. OpenRC's own init shuts down at a SIGTERM.
// SIGPWR is what LXC sends to other inits: busybox's halts, System V's looks into its inittab.
std::string halt_signal_of(const std::string& program) {
    return program == "systemd" ? "SIGRTMIN+3" : program == "openrc-init" ? "SIGTERM" : "SIGPWR";
}

// Checks the mount points of a start that exist. A start follows no symlink of a tenant.
Status check_mount_points(int tree_fd) {
    for (const char* name : {"proc", "sys", "dev", "run"}) {
        struct stat info{};
        if (::fstatat(tree_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(info.st_mode)) {
            return fail(ErrorCode::invalid_argument,
                        std::string("no container of this tree could start: its /") + name +
                            (S_ISLNK(info.st_mode) ? " is a symbolic link" : " is no directory") +
                            ", and a start mounts there; make it an empty directory");
        }
    }
    return {};
}

} // namespace

Result<TreeKind> inspect_tree(int tree_fd) {
    if (!is_real_directory(tree_fd, "etc")) {
        return fail(ErrorCode::invalid_argument,
                    "this is not the root of a distribution: it has no directory /etc");
    }
    ASSIGN_OR_RETURN(const std::string init, find_init(tree_fd));
    RETURN_IF_ERROR(check_mount_points(tree_fd));
    ASSIGN_OR_RETURN(const std::string program, program_in(tree_fd, init));
    ASSIGN_OR_RETURN(const bool has_ssh, exists_in(tree_fd, "/usr/sbin/sshd"));
    return TreeKind{.init = init,
                    .program = program,
                    .halt_signal = halt_signal_of(program),
                    .ready = has_ssh ? "ssh" : "running"};
}

Status depersonalise(int tree_fd) {
    for (const char* path :
         {"/var/lib/dbus/machine-id", "/etc/hostname", "/etc/ssh/ssh_host_*", "/etc/resolv.conf"}) {
        RETURN_IF_ERROR(with_context(remove_in(tree_fd, path), std::string("remove ") + path));
    }
    // Empty, not absent: systemd then makes one at boot without taking it for a first boot
    // (machine-id(5)).
    RETURN_IF_ERROR(put_in(tree_fd, {.path = "/etc/machine-id", .mode = 0444}));
    return put_in(tree_fd, {.path = "/etc/resolv.conf"});
}

Status apply_definition(int tree_fd, const Definition& definition) {
    for (const std::string& path : definition.remove) {
        RETURN_IF_ERROR(with_context(remove_in(tree_fd, path), "remove " + path));
    }
    for (const DefinedFile& file : definition.files) {
        RETURN_IF_ERROR(with_context(put_in(tree_fd, file), "put " + file.path));
    }
    for (const std::string& unit : definition.mask_units) {
        RETURN_IF_ERROR(put_in(
            tree_fd,
            {.path = "/etc/systemd/system/" + unit, .content = "/dev/null", .symlink = true}));
    }
    return {};
}

} // namespace lodge::templates
