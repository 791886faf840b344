#include "lib/kernel/mount.hpp"

#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::kernel {

namespace {

// The fs context queues messages. Each read(2) takes one ("e overlay: ..."); ENODATA means that no
// more are queued.
std::string read_kernel_messages(int context_fd) {
    std::string all;
    std::array<char, 512> line{};
    for (int i = 0; i < 8; ++i) {
        const ssize_t size = ::read(context_fd, line.data(), line.size());
        if (size <= 0) {
            break;
        }
        std::string_view text(line.data(), static_cast<std::size_t>(size));
        if (text.size() > 2 && text[1] == ' ') {
            text.remove_prefix(2);
        }
        while (!text.empty() && text.back() == '\n') {
            text.remove_suffix(1);
        }
        all.append(all.empty() ? "" : "; ").append(text);
    }
    return all;
}

std::unexpected<Error>
fail_context(int context_fd, const std::string& call, const std::string& subject) {
    const int error_number = errno;
    Error error = Error::from_errno(call, subject, error_number);
    if (const std::string said = read_kernel_messages(context_fd); !said.empty()) {
        error = Error(error.code(), error.message() + " (" + said + ")").with_errno(error_number);
    }
    return std::unexpected<Error>(std::move(error));
}

Status configure(int context_fd, const NewFilesystem& filesystem) {
    if (!filesystem.source.empty() &&
        ::fsconfig(context_fd, FSCONFIG_SET_STRING, "source", filesystem.source.c_str(), 0) != 0) {
        return fail_context(context_fd, "set the source of " + filesystem.type, filesystem.source);
    }
    for (const FilesystemOption& option : filesystem.options) {
        const int rc =
            option.value.empty()
                ? ::fsconfig(context_fd, FSCONFIG_SET_FLAG, option.key.c_str(), nullptr, 0)
                : ::fsconfig(
                      context_fd, FSCONFIG_SET_STRING, option.key.c_str(), option.value.c_str(), 0);
        if (rc != 0) {
            return fail_context(context_fd, "set " + filesystem.type + " option", option.key);
        }
    }
    if (filesystem.read_only && ::fsconfig(context_fd, FSCONFIG_SET_FLAG, "ro", nullptr, 0) != 0) {
        return fail_context(context_fd, "set " + filesystem.type + " option", "ro");
    }
    if (::fsconfig(context_fd, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return fail_context(context_fd, "mount " + filesystem.type, filesystem.source);
    }
    return {};
}

std::string unescape(std::string_view field) {
    std::string plain;
    plain.reserve(field.size());
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (field[i] == '\\' && i + 3 < field.size()) {
            unsigned value = 0;
            const auto [end, error] = std::from_chars(&field[i + 1], &field[i + 1] + 3, value, 8);
            if (error == std::errc{} && end == &field[i + 1] + 3 && value < 256) {
                plain.push_back(static_cast<char>(value));
                i += 3;
                continue;
            }
        }
        plain.push_back(field[i]);
    }
    return plain;
}

std::vector<std::string_view> split_fields(std::string_view line) {
    std::vector<std::string_view> fields;
    while (true) {
        const std::size_t space = line.find(' ');
        fields.push_back(line.substr(0, space));
        if (space == std::string_view::npos) {
            return fields;
        }
        line.remove_prefix(space + 1);
    }
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<MountInfo> parse_line(std::string_view line) {
    const auto fields = split_fields(line);
    std::size_t dash = 6;
    while (dash < fields.size() && fields[dash] != "-") {
        ++dash;
    }
    if (dash + 3 >= fields.size()) {
        return std::nullopt;
    }
    const auto id = parse_number(fields[0]);
    const auto parent = parse_number(fields[1]);
    if (!id || !parent) {
        return std::nullopt;
    }
    return MountInfo{.id = *id,
                     .parent_id = *parent,
                     .root = unescape(fields[3]),
                     .mount_point = unescape(fields[4]),
                     .options = std::string(fields[5]),
                     .type = std::string(fields[dash + 1]),
                     .source = unescape(fields[dash + 2]),
                     .super_options = unescape(fields[dash + 3])};
}

} // namespace

Result<MountFd> new_mount(const NewFilesystem& filesystem) {
    const UniqueFd context(::fsopen(filesystem.type.c_str(), FSOPEN_CLOEXEC));
    if (!context) {
        return fail_errno("fsopen", filesystem.type);
    }
    RETURN_IF_ERROR(configure(context.get(), filesystem));
    MountFd mount(
        ::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(filesystem.attributes)));
    if (!mount) {
        return fail_context(context.get(), "fsmount " + filesystem.type, filesystem.source);
    }
    return mount;
}

Result<MountFd> clone_mount(int dir_fd, const std::string& path, bool recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    flags |= path.empty() ? AT_EMPTY_PATH : 0U;
    flags |= recursive ? AT_RECURSIVE : 0U;
    MountFd mount(::open_tree(dir_fd, path.c_str(), flags));
    if (!mount) {
        return fail_errno("open_tree", path);
    }
    return mount;
}

Status set_mount_attributes(int mount_fd, const MountAttributes& attributes) {
    struct mount_attr attr{};
    attr.attr_set = attributes.set;
    attr.attr_clr = attributes.clear;
    attr.propagation = attributes.propagation;
    attr.userns_fd = attributes.userns_fd < 0 ? 0 : static_cast<__u64>(attributes.userns_fd);
    const unsigned flags = AT_EMPTY_PATH | (attributes.recursive ? AT_RECURSIVE : 0U);
    if (::mount_setattr(mount_fd, "", flags, &attr, sizeof attr) != 0) {
        return fail_errno("mount_setattr");
    }
    return {};
}

Status attach_mount(int mount_fd, int dir_fd, const std::string& path) {
    const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (path.empty() ? MOVE_MOUNT_T_EMPTY_PATH : 0U);
    if (::move_mount(mount_fd, "", dir_fd, path.c_str(), flags) != 0) {
        return fail_errno("move_mount", path);
    }
    return {};
}

Status detach_mount(const std::string& path) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL &&
        errno != ENOENT) {
        return fail_errno("umount2", path);
    }
    return {};
}

Result<std::vector<MountInfo>> parse_mountinfo(std::string_view text) {
    std::vector<MountInfo> mounts;
    while (!text.empty()) {
        const std::size_t newline = text.find('\n');
        const std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
        if (line.empty()) {
            continue;
        }
        auto mount = parse_line(line);
        if (!mount) {
            return fail(ErrorCode::corrupt, "not a line of mountinfo: '" + std::string(line) + "'");
        }
        mounts.push_back(std::move(*mount));
    }
    return mounts;
}

Result<std::vector<MountInfo>> read_mountinfo() {
    ASSIGN_OR_RETURN(const std::string text,
                     read_file("/proc/self/mountinfo", std::size_t{64} << 20));
    return parse_mountinfo(text);
}

} // namespace lodge::kernel
