#include "templates/adapt.hpp"

#include "lib/kernel/fs.hpp"
#include "templates/sshd_config.hpp"
#include "templates/tree_files.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <sstream>
#include <string_view>

namespace lodge::templates {

namespace {

constexpr const char* kUnit = "/etc/systemd/system/lodge-ssh-hostkeys.service";
constexpr const char* kScript = "/etc/init.d/lodge-ssh-hostkeys";

constexpr const char* kComment = "# not in a container: ";

constexpr const char* kUnitHead = "[Unit]\n"
                                  "Description=Make the SSH host keys of this container\n"
                                  "Before=ssh.service sshd.service\n";
constexpr const char* kScriptHead =
    "#!/bin/sh\n"
    "### BEGIN INIT INFO\n"
    "# Provides:          lodge-ssh-hostkeys\n"
    "# Required-Start:    $remote_fs\n"
    "# Required-Stop:\n"
    "# X-Start-Before:    ssh sshd\n"
    "# Default-Start:     2 3 4 5\n"
    "# Default-Stop:\n"
    "# Short-Description: Make the SSH host keys of this container\n"
    "### END INIT INFO\n"
    "[ \"$1\" = start ] || exit 0\n";

// Can stand in a unit and in a shell's line as it is.
bool is_plain_path(const std::string& path) {
    return path.starts_with('/') && (path + "/").find("/../") == std::string::npos &&
           path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "/._-+@") == std::string::npos;
}

// An RSA key takes a second, and no client of this decade needs it: only where sshd has no other.
std::vector<HostKey> keys_to_make(const SshdConfig& config) {
    std::vector<HostKey> keys = host_keys_of(config);
    std::erase_if(keys, [](const HostKey& key) {
        return !is_plain_path(key.path) || key.type == "dsa"; // no ssh-keygen makes these any more
    });
    if (std::any_of(
            keys.begin(), keys.end(), [](const HostKey& key) { return key.type != "rsa"; })) {
        std::erase_if(keys, [](const HostKey& key) { return key.type == "rsa"; });
    }
    return keys;
}

std::string make_line(const HostKey& key) {
    return "[ -e " + key.path + " ] || ssh-keygen -q -t " + key.type + " -N \"\" -f " + key.path;
}

Status put_unit(int tree_fd, const std::vector<HostKey>& keys) {
    std::string text = kUnitHead;
    for (const HostKey& key : keys) {
        text += "ConditionPathExists=|!" + key.path + "\n";
    }
    text += "\n[Service]\nType=oneshot\n";
    for (const HostKey& key : keys) {
        text += "ExecStart=/bin/sh -c '" + make_line(key) + "'\n";
    }
    RETURN_IF_ERROR(put_in(tree_fd, {.path = kUnit, .content = text}));
    return put_in(tree_fd,
                  {.path = "/etc/systemd/system/multi-user.target.wants/lodge-ssh-hostkeys.service",
                   .content = kUnit,
                   .symlink = true});
}

Status put_script(int tree_fd, const std::vector<HostKey>& keys) {
    std::string text = kScriptHead;
    for (const HostKey& key : keys) {
        text += make_line(key) + "\n";
    }
    RETURN_IF_ERROR(put_in(tree_fd, {.path = kScript, .mode = 0755, .content = text}));
    for (const char level : {'2', '3', '4', '5'}) {
        const std::string directory = std::string("/etc/rc") + level + ".d";
        ASSIGN_OR_RETURN(const bool there, exists_in(tree_fd, directory));
        if (there) {
            RETURN_IF_ERROR(put_in(tree_fd,
                                   {.path = directory + "/S00lodge-ssh-hostkeys",
                                    .content = "../init.d/lodge-ssh-hostkeys",
                                    .symlink = true}));
        }
    }
    // The order that insserv worked out before the script came, in which it would not run; without
    // these, rc goes by the numbers.
    return remove_in(tree_fd, "/etc/init.d/.depend.*");
}

// Many a distribution's service makes them: Alpine's, Red Hat's, Void's.
Result<bool> makes_keys_itself(int tree_fd) {
    for (const char* service : {"/etc/init.d/sshd",
                                "/etc/init.d/ssh",
                                "/etc/rc.d/rc.sshd",
                                "/etc/sv/sshd/run",
                                "/etc/sv/ssh/run"}) {
        ASSIGN_OR_RETURN(const std::string text, text_in(tree_fd, service));
        if (text.find("ssh-keygen") != std::string::npos) {
            return true;
        }
    }
    return false;
}

Result<std::string> settle_host_keys(int tree_fd, const TreeKind& kind) {
    ASSIGN_OR_RETURN(const bool has_ssh, exists_in(tree_fd, "/usr/sbin/sshd"));
    if (!has_ssh) {
        return std::string();
    }
    ASSIGN_OR_RETURN(const SshdConfig config, read_sshd_config(tree_fd));
    for (const HostKey& key : host_keys_of(config)) {
        for (const char* end : {"", ".pub", "-cert.pub"}) {
            if (is_plain_path(key.path)) {
                RETURN_IF_ERROR(remove_in(tree_fd, key.path + end));
            }
        }
    }
    const std::vector<HostKey> keys = keys_to_make(config);
    if (keys.empty()) {
        return std::string("no SSH host key of its own will be made for a container: the tree's "
                           "sshd_config names none that ssh-keygen can make");
    }
    if (kind.program == "systemd") {
        RETURN_IF_ERROR(put_unit(tree_fd, keys));
        return std::string();
    }
    ASSIGN_OR_RETURN(const bool by_itself, makes_keys_itself(tree_fd));
    if (by_itself) {
        return std::string();
    }
    ASSIGN_OR_RETURN(const bool has_scripts, exists_in(tree_fd, "/etc/init.d"));
    ASSIGN_OR_RETURN(const bool has_levels, exists_in(tree_fd, "/etc/rc2.d"));
    if (has_scripts && has_levels) {
        RETURN_IF_ERROR(put_script(tree_fd, keys));
        return std::string();
    }
    return std::string("the tree's SSH host keys were taken out, and Lodge knows of no place where "
                       "its init would make new ones: let a service of the tree run `ssh-keygen "
                       "-A` before sshd");
}

Result<std::string> settle_halt(int tree_fd, const TreeKind& kind) {
    for (const char* known : {"systemd", "busybox", "openrc-init"}) {
        if (kind.program == known) {
            return std::string();
        }
    }
    ASSIGN_OR_RETURN(const std::string inittab, text_in(tree_fd, "/etc/inittab"));
    ASSIGN_OR_RETURN(const bool has_shutdown, exists_in(tree_fd, "/sbin/shutdown"));
    const std::string changed =
        with_halt(inittab, has_shutdown ? "/sbin/shutdown -h now" : kind.init + " 0");
    if (changed.empty()) {
        return "how its init, " + kind.init + ", is asked to halt is not known: a stop sends " +
               kind.halt_signal + ", and kills when its time is over";
    }
    RETURN_IF_ERROR(put_in(tree_fd, {.path = "/etc/inittab", .content = changed}));
    return std::string();
}

std::string per_line(const std::string& text,
                     const std::function<std::string(const std::string& line)>& change) {
    std::istringstream lines(text);
    std::string changed;
    for (std::string line; std::getline(lines, line);) {
        changed += change(line) + "\n";
    }
    return changed;
}

// id:runlevels:action:process, the last with colons in it.
std::array<std::string, 4> inittab_fields(const std::string& line) {
    std::array<std::string, 4> fields;
    std::istringstream rest(line);
    for (std::size_t i = 0; i < 3; ++i) {
        std::getline(rest, fields.at(i), ':');
    }
    std::getline(rest, fields.at(3));
    return fields;
}

Result<std::string> tell_of_32_bits(int tree_fd, const TreeKind& kind) {
    ASSIGN_OR_RETURN(const bool narrow, kernel::is_32_bit_program(tree_fd, kind.init));
    return narrow ? std::string("the tree is of 32-bit programs: those of i386 that use glibc, and "
                                "those of Go, can make no socket in a container, so that it has no "
                                "network to speak of; take the 64-bit tree of the distribution")
                  : std::string();
}

} // namespace

std::string without_disks(const std::string& fstab) {
    return per_line(fstab, [](const std::string& line) {
        std::istringstream words(line);
        std::string device;
        std::string place;
        std::string type;
        words >> device >> place >> type;
        if (place.empty() || device.starts_with('#')) {
            return line;
        }
        bool hosts = place == "/" || place == "/usr" || type == "swap";
        for (const std::string_view own : {"/proc", "/sys", "/dev", "/run"}) {
            hosts = hosts || place == own || place.starts_with(std::string(own) + "/");
        }
        for (const char* disk : {"/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID="}) {
            hosts = hosts || device.starts_with(disk);
        }
        return hosts ? kComment + line : line;
    });
}

std::string with_halt(const std::string& inittab, const std::string& halt_command) {
    bool system_v = false;
    bool console = inittab.find(" console") != std::string::npos;
    std::string changed = per_line(inittab, [&](const std::string& line) {
        const auto [id, levels, action, process] = inittab_fields(line);
        if (id.empty() || id.starts_with('#')) {
            return line;
        }
        system_v = system_v || action == "initdefault";
        const std::size_t terminal = process.find(" tty");
        const bool getty = action == "respawn" && process.find("getty") != std::string::npos &&
                           terminal != std::string::npos;
        if (getty && !console) {
            console = true;
            const std::size_t end = process.find(' ', terminal + 1);
            return id + ":" + levels + ":respawn:" + process.substr(0, terminal) + " console" +
                   (end == std::string::npos ? "" : process.substr(end));
        }
        const bool power = action.starts_with("powerfail") || action == "powerwait";
        return getty || power ? kComment + line : line;
    });
    if (!system_v) {
        return {};
    }
    return changed + "pf::powerfail:" + halt_command + "\npn::powerfailnow:" + halt_command + "\n";
}

Result<std::vector<std::string>> adapt(int tree_fd, const TreeKind& kind) {
    std::vector<std::string> sentences;
    for (const auto settle : {settle_host_keys, settle_halt, tell_of_32_bits}) {
        ASSIGN_OR_RETURN(std::string sentence, settle(tree_fd, kind));
        if (!sentence.empty()) {
            sentences.push_back(std::move(sentence));
        }
    }
    ASSIGN_OR_RETURN(const std::string fstab, text_in(tree_fd, "/etc/fstab"));
    if (const std::string changed = without_disks(fstab); changed != fstab) {
        RETURN_IF_ERROR(put_in(tree_fd, {.path = "/etc/fstab", .content = changed}));
    }
    return sentences;
}

} // namespace lodge::templates
