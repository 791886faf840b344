#include "lib/cgroup/tree.hpp"

#include "lib/kernel/fs.hpp"

#include <cerrno>
#include <sstream>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace lodge::cgroup {

namespace {

constexpr unsigned kDeepest = 256;

// The tree belongs to the tenant. A group that is removed meanwhile, or a threaded one, counts as
// one without processes.
Status collect_processes(int parent_fd,
                         const std::string& name,
                         unsigned depth,
                         std::vector<std::int32_t>& pids) {
    const auto group = kernel::open_directory_at(parent_fd, name);
    if (!group || depth == 0) {
        return {};
    }
    const auto file = kernel::open_at(group->get(), "cgroup.procs", O_RDONLY);
    const auto text = file ? kernel::read_all(file->get(), std::size_t{1} << 20) : std::string();
    std::istringstream words(text ? *text : "");
    for (std::int32_t pid = 0; words >> pid;) {
        pids.push_back(pid);
    }
    return kernel::for_each_entry(
        group->get(), [&](const std::string& child, unsigned char type) -> Status {
            return type == DT_DIR ? collect_processes(group->get(), child, depth - 1, pids)
                                  : Status{};
        });
}

Status remove_below(int parent_fd, const std::string& name, unsigned depth) {
    const auto group = kernel::open_directory_at(parent_fd, name);
    if (!group) {
        return group.error().sys_errno() == ENOENT ? Status{}
                                                   : std::unexpected<Error>(group.error());
    }
    if (depth == 0) {
        return fail(ErrorCode::resource_exhausted,
                    "groups nest deeper than 256 below '" + name + "'");
    }
    RETURN_IF_ERROR(kernel::for_each_entry(
        group->get(), [&](const std::string& child, unsigned char type) -> Status {
            return type == DT_DIR ? remove_below(group->get(), child, depth - 1) : Status{};
        }));
    if (::unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
        Error error = Error::from_errno("rmdir", name, errno);
        const bool populated = error.sys_errno() == EBUSY;
        return std::unexpected<Error>(populated ? std::move(error).with_code(ErrorCode::busy)
                                                : std::move(error));
    }
    return {};
}

// Whether cgroup.events shows processes that are not frozen. False for a group that was removed.
bool runs(int group_fd) {
    const auto file = kernel::open_at(group_fd, "cgroup.events", O_RDONLY);
    const auto text = file ? kernel::read_all(file->get(), 4096) : std::string();
    return text && text->find("populated 1") != std::string::npos &&
           text->find("frozen 1") == std::string::npos;
}

Status
find_unfrozen(int parent_fd, const std::string& path, unsigned depth, std::string& unfrozen) {
    const std::size_t slash = path.rfind('/');
    const auto group = kernel::open_directory_at(
        parent_fd, slash == std::string::npos ? path : path.substr(slash + 1));
    if (!group || depth == 0 || !unfrozen.empty()) {
        return {};
    }
    if (runs(group->get())) {
        unfrozen = path;
        return {};
    }
    return kernel::for_each_entry(
        group->get(), [&](const std::string& child, unsigned char type) -> Status {
            return type == DT_DIR
                       ? find_unfrozen(group->get(), path + "/" + child, depth - 1, unfrozen)
                       : Status{};
        });
}

} // namespace

Result<std::string> first_unfrozen(int parent_fd, const std::string& name) {
    std::string unfrozen;
    RETURN_IF_ERROR(find_unfrozen(parent_fd, name, kDeepest, unfrozen));
    return unfrozen;
}

Status remove_tree(int parent_fd, const std::string& name) {
    return remove_below(parent_fd, name, kDeepest);
}

Result<std::vector<std::int32_t>> processes_below(int parent_fd, const std::string& name) {
    std::vector<std::int32_t> pids;
    RETURN_IF_ERROR(collect_processes(parent_fd, name, kDeepest, pids));
    return pids;
}

} // namespace lodge::cgroup
