#include "daemon/containers/seed_tree.hpp"

#include "daemon/containers/hosts_file.hpp"
#include "lib/kernel/fs.hpp"
#include "templates/sshd_config.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

using kernel::Resolve;

constexpr std::size_t kLongestAccountFile = std::size_t{16} << 20;
constexpr const char* kSshdConfig = "/etc/ssh/sshd_config";
constexpr const char* kDropIn = "/etc/ssh/sshd_config.d/10-lodge-root-password.conf";
// In a Match block, which overrides all settings outside one, wherever they are, and changes
// nothing for other users.
constexpr const char* kRootByPassword =
    "Match User root\n    PermitRootLogin yes\n    PasswordAuthentication yes\n";

struct NewFile {
    std::string path; ///< absolute; a symlink there is replaced
    std::string content;
    mode_t mode = 0644;
    gid_t group = 0;
};

Status take_over_owner_and_mode(int fd, const struct stat& like, const std::string& path) {
    if (::fchown(fd, like.st_uid, like.st_gid) != 0 || ::fchmod(fd, like.st_mode & 07777) != 0) {
        return fail_errno("take over owner and mode of", path);
    }
    return {};
}

// An overlay shows its upper layer's root, so that root needs the template's mode and owner.
Status seed_root(int template_fd, int target_fd) {
    struct stat like{};
    if (::fstat(template_fd, &like) != 0) {
        return fail_errno("fstat", "/");
    }
    return take_over_owner_and_mode(target_fd, like, "/");
}

// Makes `name` below `parent_fd` with the mode and owner that the template's directory of that path
// has.
Result<UniqueFd> open_copied_directory(
    int template_fd, int parent_fd, const std::string& path, const std::string& name, mode_t mode) {
    struct stat like{};
    like.st_mode = mode;
    const auto original = kernel::open_hostile(
        template_fd, path, O_PATH | O_NOFOLLOW, 0, Resolve::beneath_no_symlinks);
    if (original) {
        if (::fstat(original->get(), &like) != 0) {
            return fail_errno("fstat", path);
        }
        if (!S_ISDIR(like.st_mode)) {
            return fail(ErrorCode::invalid_argument,
                        "the template's /" + path + " is not a directory");
        }
    } else if (original.error().sys_errno() != ENOENT) {
        return std::unexpected<Error>(original.error());
    }
    const bool made = ::mkdirat(parent_fd, name.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) {
        return fail_errno("mkdir", path);
    }
    ASSIGN_OR_RETURN(UniqueFd directory, kernel::open_directory_at(parent_fd, name));
    if (made) {
        RETURN_IF_ERROR(take_over_owner_and_mode(directory.get(), like, path));
    }
    return directory;
}

std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts;
    std::istringstream words(path);
    for (std::string part; std::getline(words, part, '/');) {
        if (!part.empty() && part != ".") {
            parts.push_back(part);
        }
    }
    return parts;
}

std::string joined(const std::vector<std::string>& parts) {
    std::string path;
    for (const std::string& part : parts) {
        path += (path.empty() ? "" : "/") + part;
    }
    return path;
}

// The directory of a path in the template with all symlinks resolved inside it, also missing
// directories behind a link: "/root/.ssh" with a link from /root to var/roothome is
// "var/roothome/.ssh". As path_resolution(7).
Result<std::string> resolve_directory(int template_fd, const std::string& path) {
    constexpr unsigned kMostLinks = 40;
    std::vector<std::string> ahead = parts_of(path);
    std::reverse(ahead.begin(), ahead.end());
    std::vector<std::string> resolved;
    for (unsigned links = 0; !ahead.empty();) {
        const std::string part = ahead.back();
        ahead.pop_back();
        if (part == "..") {
            resolved.resize(resolved.size() - (resolved.empty() ? 0 : 1));
            continue;
        }
        resolved.push_back(part);
        ASSIGN_OR_RETURN(
            const auto fd,
            kernel::open_hostile_if_there(
                template_fd, joined(resolved), O_PATH | O_NOFOLLOW, Resolve::beneath_no_symlinks));
        std::string target(PATH_MAX, '\0');
        const ssize_t size = fd ? ::readlinkat(fd->get(), "", target.data(), target.size()) : -1;
        if (size <= 0) {
            continue; // nothing, or no link
        }
        if (++links > kMostLinks) {
            return fail(ErrorCode::invalid_argument,
                        "the template's " + path + " goes through too many symbolic links");
        }
        target.resize(static_cast<std::size_t>(size));
        resolved.resize(target.front() == '/' ? 0 : resolved.size() - 1);
        const std::vector<std::string> inserted = parts_of(target);
        ahead.insert(ahead.end(), inserted.rbegin(), inserted.rend());
    }
    return joined(resolved);
}

Status put_file(int template_fd, int target_fd, NewFile file, mode_t directory_mode = 0755) {
    const std::size_t last = file.path.rfind('/');
    ASSIGN_OR_RETURN(const std::string below,
                     resolve_directory(template_fd, file.path.substr(0, last)));
    file.path = (below.empty() ? "" : "/" + below) + file.path.substr(last);
    UniqueFd directory;
    int parent = target_fd;
    std::size_t start = 1;
    for (std::size_t slash = file.path.find('/', start); slash != std::string::npos;
         slash = file.path.find('/', start)) {
        const std::string name = file.path.substr(start, slash - start);
        ASSIGN_OR_RETURN(
            UniqueFd next,
            open_copied_directory(
                template_fd, parent, file.path.substr(1, slash - 1), name, directory_mode));
        directory = std::move(next);
        parent = directory.get();
        start = slash + 1;
    }
    const std::string name = file.path.substr(start);
    if (::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) {
        return fail_errno("unlink", file.path);
    }
    ASSIGN_OR_RETURN(const UniqueFd fd,
                     kernel::open_at(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    RETURN_IF_ERROR(kernel::write_all(fd.get(), file.content));
    if (::fchown(fd.get(), 0, file.group) != 0 || ::fchmod(fd.get(), file.mode) != 0) {
        return fail_errno("set owner and mode of", file.path);
    }
    return {};
}

struct TemplateFile {
    std::string text;
    struct stat info{};
};

Result<std::optional<TemplateFile>> read_if_there(int template_fd, const std::string& path) {
    ASSIGN_OR_RETURN(const auto file, kernel::open_hostile_if_there(template_fd, path, O_RDONLY));
    if (!file) {
        return std::optional<TemplateFile>();
    }
    TemplateFile found;
    if (::fstat(file->get(), &found.info) != 0) {
        return fail_errno("fstat", path);
    }
    ASSIGN_OR_RETURN(found.text, kernel::read_all(file->get(), kLongestAccountFile));
    return std::optional(std::move(found));
}

// A file that is unreadable by its nature names no home of root.
Result<std::string> home_of_root(int template_fd) {
    ASSIGN_OR_RETURN(const auto file,
                     kernel::open_hostile_if_there(template_fd, "etc/passwd", O_RDONLY));
    const auto passwd =
        file ? kernel::read_all(file->get(), kLongestAccountFile) : Result<std::string>();
    return passwd && file ? home_of(*passwd, "root") : "/root";
}

std::string resolver_text(const Seed& seed) {
    std::string text;
    for (const std::string& server : seed.nameservers) {
        text += "nameserver " + server + "\n";
    }
    return text;
}

using Sentences = std::vector<std::string>;

// At its end.
void add_root_by_password(templates::SshdConfig& config) {
    for (templates::SshdSetting& setting :
         templates::parse_sshd_config({.path = kDropIn, .text = kRootByPassword})) {
        config.settings.push_back(std::move(setting));
    }
}

Result<bool> has_sshd(int template_fd) {
    ASSIGN_OR_RETURN(const auto sshd,
                     kernel::open_hostile_if_there(template_fd, "usr/sbin/sshd", O_PATH));
    return sshd.has_value();
}

Result<Sentences> put_ssh_keys(int template_fd, int target_fd, const Seed& seed) {
    if (seed.ssh_keys.empty()) {
        return Sentences{};
    }
    ASSIGN_OR_RETURN(const std::string home, home_of_root(template_fd));
    std::string lines;
    for (const std::string& key : seed.ssh_keys) {
        lines += key + "\n";
    }
    RETURN_IF_ERROR(
        put_file(template_fd,
                 target_fd,
                 {.path = home + "/.ssh/authorized_keys", .content = lines, .mode = 0600},
                 0700));
    ASSIGN_OR_RETURN(const bool with_sshd, has_sshd(template_fd));
    if (!with_sshd) {
        return Sentences{};
    }
    ASSIGN_OR_RETURN(templates::SshdConfig config, templates::read_sshd_config(template_fd));
    if (!seed.password_hash.empty()) { // the drop-in of put_password() lets keys in too
        add_root_by_password(config);
    }
    return what_keeps_root_out(config, templates::LoginBy::key);
}

Status put_shadow(int template_fd, int target_fd, const Seed& seed) {
    ASSIGN_OR_RETURN(const auto shadow, read_if_there(template_fd, "etc/shadow"));
    if (!shadow) {
        return fail(ErrorCode::invalid_argument,
                    "root cannot be given a password: the template has no /etc/shadow");
    }
    ASSIGN_OR_RETURN(const std::string changed,
                     with_password(shadow->text, "root", seed.password_hash));
    return put_file(template_fd,
                    target_fd,
                    {.path = "/etc/shadow",
                     .content = changed,
                     .mode = shadow->info.st_mode & 0777,
                     .group = shadow->info.st_gid});
}

// An operator who gives root a password wants logins with it; Debian's sshd takes only keys for
// root.
Result<Sentences> put_password(int template_fd, int target_fd, const Seed& seed) {
    if (seed.password_hash.empty()) {
        return Sentences{};
    }
    RETURN_IF_ERROR(put_shadow(template_fd, target_fd, seed));
    ASSIGN_OR_RETURN(const bool with_sshd, has_sshd(template_fd));
    if (!with_sshd) {
        return Sentences{};
    }
    ASSIGN_OR_RETURN(
        templates::SshdConfig config,
        templates::read_sshd_config(template_fd, templates::SshdFile{kDropIn, kRootByPassword}));
    const bool reads_drop_ins = std::any_of(
        config.settings.begin(), config.settings.end(), [](const templates::SshdSetting& setting) {
            return setting.file == kDropIn && setting.match == "User root";
        });
    if (reads_drop_ins) {
        RETURN_IF_ERROR(
            put_file(template_fd, target_fd, {.path = kDropIn, .content = kRootByPassword}));
        return what_keeps_root_out(config, templates::LoginBy::password);
    }
    const std::string main = config.main.empty() ? kSshdConfig : config.main;
    ASSIGN_OR_RETURN(const auto text, read_if_there(template_fd, main.substr(1)));
    RETURN_IF_ERROR(put_file(template_fd,
                             target_fd,
                             {.path = main,
                              .content = (text ? text->text + "\n" : "") + kRootByPassword,
                              .mode = text ? text->info.st_mode & 0777 : 0644,
                              .group = text ? text->info.st_gid : 0}));
    add_root_by_password(config);
    return what_keeps_root_out(config, templates::LoginBy::password);
}

} // namespace

Result<std::string>
with_password(const std::string& shadow, const std::string& user, const std::string& hash) {
    std::istringstream lines(shadow);
    std::string text;
    bool found = false;
    for (std::string line; std::getline(lines, line);) {
        if (!found && line.rfind(user + ":", 0) == 0) {
            const std::size_t end = line.find(':', user.size() + 1);
            line = user + ":" + hash + (end == std::string::npos ? ":::::::" : line.substr(end));
            found = true;
        }
        text += line + "\n";
    }
    if (!found) {
        return fail(ErrorCode::invalid_argument,
                    "the template's /etc/shadow has no line for " + user);
    }
    return text;
}

std::string home_of(const std::string& passwd, const std::string& user) {
    std::istringstream lines(passwd);
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind(user + ":", 0) != 0) {
            continue;
        }
        std::istringstream fields(line);
        std::string field;
        for (int i = 0; i < 6; ++i) {
            std::getline(fields, field, ':');
        }
        const bool usable = field.size() > 1 && field.front() == '/' &&
                            (field + "/").find("/../") == std::string::npos &&
                            field.find("//") == std::string::npos && field.back() != '/';
        return usable ? field : "/root";
    }
    return "/root";
}

Result<std::vector<std::string>> seed_tree(int template_fd, int target_fd, const Seed& seed) {
    RETURN_IF_ERROR(seed_root(template_fd, target_fd));
    RETURN_IF_ERROR(put_file(
        template_fd, target_fd, {.path = "/etc/hostname", .content = seed.hostname + "\n"}));
    RETURN_IF_ERROR(
        put_file(template_fd,
                 target_fd,
                 {.path = "/etc/hosts", .content = hosts_text(seed.hostname, seed.addresses)}));
    RETURN_IF_ERROR(put_file(
        template_fd, target_fd, {.path = "/etc/resolv.conf", .content = resolver_text(seed)}));
    ASSIGN_OR_RETURN(std::vector<std::string> sentences,
                     put_ssh_keys(template_fd, target_fd, seed));
    ASSIGN_OR_RETURN(const auto more, put_password(template_fd, target_fd, seed));
    sentences.insert(sentences.end(), more.begin(), more.end());
    return sentences;
}

} // namespace lodge::daemon
