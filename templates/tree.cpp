#include "templates/tree.hpp"

#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::templates {

namespace {

using kernel::Resolve;

struct Place {
    UniqueFd directory;
    std::string name;
};

// The directory that `path` lies in, and its last component. Symlinks on the way resolve inside the
// tree.
Result<Place> locate(int tree_fd, const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
    ASSIGN_OR_RETURN(
        UniqueFd directory,
        kernel::open_hostile(tree_fd, parent, O_RDONLY | O_DIRECTORY, 0, Resolve::in_root));
    return Place{std::move(directory), path.substr(slash + 1)};
}

Status remove_path(int tree_fd, const std::string& path) {
    auto place = locate(tree_fd, path);
    if (!place) {
        return place.error().sys_errno() == ENOENT ? Status{}
                                                   : std::unexpected<Error>(place.error());
    }
    std::vector<std::string> matching;
    RETURN_IF_ERROR(kernel::for_each_entry(
        place->directory.get(), [&](const std::string& name, unsigned char) -> Status {
            if (::fnmatch(place->name.c_str(), name.c_str(), FNM_PERIOD) == 0) {
                matching.push_back(name);
            }
            return {};
        }));
    for (const std::string& name : matching) {
        RETURN_IF_ERROR(kernel::remove_tree_at(place->directory.get(), name));
    }
    return {};
}

Status make_parents(int tree_fd, const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        ASSIGN_OR_RETURN(const Place place, locate(tree_fd, path.substr(0, slash)));
        RETURN_IF_ERROR(kernel::make_directory_at(place.directory.get(), place.name, 0755));
    }
    return {};
}

Status put_file(int tree_fd, const DefinedFile& file) {
    RETURN_IF_ERROR(make_parents(tree_fd, file.path));
    ASSIGN_OR_RETURN(const Place place, locate(tree_fd, file.path));
    RETURN_IF_ERROR(kernel::remove_tree_at(place.directory.get(), place.name));
    if (file.symlink) {
        if (::symlinkat(file.content.c_str(), place.directory.get(), place.name.c_str()) != 0) {
            return fail_errno("symlink", file.path);
        }
        return {};
    }
    ASSIGN_OR_RETURN(
        const UniqueFd fd,
        kernel::open_at(
            place.directory.get(), place.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    RETURN_IF_ERROR(kernel::write_all(fd.get(), file.content));
    // fchmod, as the umask is the daemon's and not the definition's.
    if (::fchmod(fd.get(), file.mode) != 0) {
        return fail_errno("fchmod", file.path);
    }
    return {};
}

bool exists(int tree_fd, const std::string& path) {
    return kernel::open_hostile(tree_fd, path, O_PATH, 0, Resolve::in_root).has_value();
}

bool is_real_directory(int tree_fd, const std::string& name) {
    struct stat info{};
    return ::fstatat(tree_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(info.st_mode);
}

std::optional<std::string> find_init(int tree_fd) {
    for (const char* path : {"/sbin/init",
                             "/usr/sbin/init",
                             "/lib/systemd/systemd",
                             "/usr/lib/systemd/systemd",
                             "/bin/init",
                             "/init"}) {
        if (exists(tree_fd, path)) {
            return path;
        }
    }
    return std::nullopt;
}

// Each container makes its own host keys, before its SSH server starts for the first time. RSA is
// left out: it takes a second, and no client of this decade needs it.
constexpr const char* kHostKeyUnit = R"unit([Unit]
Description=Make the SSH host keys of this container
Before=ssh.service sshd.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
ExecStart=/usr/bin/ssh-keygen -q -t ecdsa -N "" -f /etc/ssh/ssh_host_ecdsa_key
)unit";

Status make_host_keys_at_boot(int tree_fd) {
    if (!exists(tree_fd, "/usr/sbin/sshd") || !exists(tree_fd, "/lib/systemd/systemd")) {
        return {}; // other inits: their definition sees to it
    }
    const std::string unit = "/etc/systemd/system/lodge-ssh-hostkeys.service";
    RETURN_IF_ERROR(put_file(tree_fd, {.path = unit, .content = kHostKeyUnit}));
    return put_file(
        tree_fd,
        {.path = "/etc/systemd/system/multi-user.target.wants/lodge-ssh-hostkeys.service",
         .content = unit,
         .symlink = true});
}

} // namespace

Result<TreeKind> inspect_tree(int tree_fd) {
    if (!is_real_directory(tree_fd, "etc")) {
        return fail(ErrorCode::invalid_argument,
                    "this is not the root of a distribution: it has no directory /etc");
    }
    const auto init = find_init(tree_fd);
    if (!init) {
        return fail(
            ErrorCode::invalid_argument,
            "this is not the root of a distribution: it has no init (/sbin/init and the like)");
    }
    const bool systemd =
        exists(tree_fd, "/lib/systemd/systemd") || exists(tree_fd, "/usr/lib/systemd/systemd");
    const bool ssh = exists(tree_fd, "/usr/sbin/sshd");
    // systemd's CONTAINER_INTERFACE asks for SIGRTMIN+3; SIGPWR is what LXC sends to other inits.
    return TreeKind{.init = *init,
                    .halt_signal = systemd ? "SIGRTMIN+3" : "SIGPWR",
                    .ready = ssh ? "ssh" : "running"};
}

Status depersonalise(int tree_fd) {
    for (const char* path :
         {"/var/lib/dbus/machine-id", "/etc/hostname", "/etc/ssh/ssh_host_*", "/etc/resolv.conf"}) {
        RETURN_IF_ERROR(with_context(remove_path(tree_fd, path), std::string("remove ") + path));
    }
    // Empty, not absent: systemd then makes one at boot without taking it for a first boot
    // (machine-id(5)).
    RETURN_IF_ERROR(put_file(tree_fd, {.path = "/etc/machine-id", .mode = 0444}));
    RETURN_IF_ERROR(put_file(tree_fd, {.path = "/etc/resolv.conf"}));
    return make_host_keys_at_boot(tree_fd);
}

Status apply_definition(int tree_fd, const Definition& definition) {
    for (const std::string& path : definition.remove) {
        RETURN_IF_ERROR(with_context(remove_path(tree_fd, path), "remove " + path));
    }
    for (const DefinedFile& file : definition.files) {
        RETURN_IF_ERROR(with_context(put_file(tree_fd, file), "put " + file.path));
    }
    for (const std::string& unit : definition.mask_units) {
        RETURN_IF_ERROR(put_file(
            tree_fd,
            {.path = "/etc/systemd/system/" + unit, .content = "/dev/null", .symlink = true}));
    }
    return {};
}

} // namespace lodge::templates
