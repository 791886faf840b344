#include "templates/tree_files.hpp"

#include "lib/kernel/fs.hpp"

#include <cerrno>
#include <climits>
#include <utility>
#include <vector>

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

Status make_parents(int tree_fd, const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        ASSIGN_OR_RETURN(const Place place, locate(tree_fd, path.substr(0, slash)));
        RETURN_IF_ERROR(kernel::make_directory_at(place.directory.get(), place.name, 0755));
    }
    return {};
}

} // namespace

Status remove_in(int tree_fd, const std::string& path) {
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

Status put_in(int tree_fd, const DefinedFile& file) {
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

Result<bool> exists_in(int tree_fd, const std::string& path) {
    ASSIGN_OR_RETURN(const auto file, kernel::open_hostile_if_there(tree_fd, path, O_PATH));
    return file.has_value();
}

Result<std::string> text_in(int tree_fd, const std::string& path) {
    constexpr std::size_t kLongest = std::size_t{256} << 10;
    ASSIGN_OR_RETURN(const auto file, kernel::open_hostile_if_there(tree_fd, path, O_RDONLY));
    struct stat info{};
    if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return std::string();
    }
    return with_context(kernel::read_all(file->get(), kLongest), "read " + path);
}

Result<std::string> program_in(int tree_fd, const std::string& path) {
    ASSIGN_OR_RETURN(const auto file, kernel::open_hostile_if_there(tree_fd, path, O_PATH));
    if (!file) {
        return std::string();
    }
    std::string target(PATH_MAX, '\0');
    const std::string link = "/proc/self/fd/" + std::to_string(file->get());
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
    target.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return target.substr(target.rfind('/') + 1);
}

} // namespace lodge::templates
