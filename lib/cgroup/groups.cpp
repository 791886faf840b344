#include "lib/cgroup/groups.hpp"

#include "lib/cgroup/device_filter.hpp"
#include "lib/cgroup/limits.hpp"
#include "lib/cgroup/tree.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <set>
#include <sstream>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace lodge::cgroup {

namespace {

constexpr std::array kControllers{"memory", "cpu", "pids"};
constexpr const char* kOwnGroup = "daemon";
constexpr const char* kDefaultBase = "/lodge";

// Our own group: the "0::" line of /proc/self/cgroup (man 7 cgroups).
Result<std::string> own_group() {
    ASSIGN_OR_RETURN(const std::string text, kernel::read_file("/proc/self/cgroup", 65536));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("0::", 0) == 0) {
            return line.substr(3);
        }
    }
    return fail(ErrorCode::unsupported, "this process is in no cgroup v2 group");
}

// systemd marks the groups that it delegates (systemd.resource-control(5), Delegate=).
bool is_delegated(const std::string& path) {
    std::array<char, 8> value{};
    for (const char* name : {"trusted.delegate", "user.delegate"}) {
        if (::getxattr(path.c_str(), name, value.data(), value.size()) == 1 && value[0] == '1') {
            return true;
        }
    }
    return false;
}

struct Place {
    std::string base;
    bool stay = false; ///< this process stays in its own group
};

Place find_place(const std::string& asked, const std::string& mount_point) {
    const auto own = own_group();
    if (!asked.empty() || !own) {
        return {.base = asked.empty() ? kDefaultBase : asked};
    }
    const auto delegated = [&](const std::string& group) {
        return is_delegated(mount_point + group);
    };
    Place place{.base = automatic_base(*own, delegated)};
    place.stay = stays_in(*own, place.base, delegated);
    return place;
}

std::string reason_for(const std::string& controller,
                       const std::vector<kernel::MountInfo>& mounts) {
    for (const kernel::MountInfo& mount : mounts) {
        const auto options = "," + mount.super_options + ",";
        if (mount.type == "cgroup" && options.find("," + controller + ",") != std::string::npos) {
            return "the " + controller + " controller is bound to cgroup v1 at " +
                   mount.mount_point;
        }
    }
    return "the " + controller + " controller is not available on cgroup v2 here";
}

// Whether cgroup.events has `line`. A removed group counts as one without processes.
Result<bool> events_say(int events_fd, std::string_view line) {
    std::array<char, 256> text{};
    const ssize_t size = ::pread(events_fd, text.data(), text.size() - 1, 0);
    if (size < 0) {
        if (errno == ENODEV) {
            return true;
        }
        return fail_errno("read", "cgroup.events");
    }
    return std::string_view(text.data(), static_cast<std::size_t>(size)).find(line) !=
           std::string_view::npos;
}

// The number behind `key` in a file of a group; without a key the first number. nullopt when the
// file does not exist: its controller is not enabled, or the group was removed.
std::optional<std::uint64_t> number_in(int group_fd, const char* file, std::string_view key = {}) {
    std::array<char, 512> buffer{}; // usage_usec comes first
    const UniqueFd fd(::openat(group_fd, file, O_RDONLY | O_CLOEXEC));
    const ssize_t size = fd ? ::pread(fd.get(), buffer.data(), buffer.size(), 0) : -1;
    if (size < 0) {
        return std::nullopt;
    }
    std::string_view text(buffer.data(), static_cast<std::size_t>(size));
    if (!text.starts_with(key)) {
        return std::nullopt;
    }
    text.remove_prefix(key.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} ? std::optional(number) : std::nullopt;
}

class KernelGroups final : public GroupManager {
  public:
    KernelGroups(Support support, UniqueFd base, UniqueFd filter)
        : support_(std::move(support)), base_(std::move(base)), filter_(std::move(filter)) {}

    const Support& support() const override { return support_; }

    Result<UniqueFd>
    create(const std::string& name, const Limits& limits, std::uint32_t owner) override {
        RETURN_IF_ERROR(check_limits(limits));
        RETURN_IF_ERROR(remove(name)); // with the groups that a tenant made below it before
        RETURN_IF_ERROR(kernel::make_directory_at(base_.get(), name, 0755));
        auto group = set_up(name, limits, owner);
        if (!group) {
            (void)remove(name); // the first error is returned
            return std::unexpected<Error>(
                std::move(group).error().context("make the cgroup " + name));
        }
        return group;
    }

    Status set_limits(const std::string& name, const Limits& limits) override {
        RETURN_IF_ERROR(check_limits(limits));
        const auto group = kernel::open_directory_at(base_.get(), name);
        if (!group) {
            return group.error().sys_errno() == ENOENT ? Status{}
                                                       : std::unexpected<Error>(group.error());
        }
        return change_limits(
            support_.base.substr(1) + "/" + name, group->get(), limits, support_.controllers);
    }

    Status kill(const std::string& name) override { return write(name, "cgroup.kill", "1"); }
    Status freeze(const std::string& name, bool frozen) override {
        return write(name, "cgroup.freeze", frozen ? "1" : "0");
    }

    Status wait_frozen(const std::string& name, bool frozen, const Deadline& deadline) override {
        if (!frozen) {
            return wait_for(name, "frozen 0", deadline, "did not go on in time");
        }
        // A group with processes of its own reports "frozen" when those are frozen, even when
        // processes below it are not (6.18, cgroup_update_frozen()). So this checks each group.
        while (true) {
            ASSIGN_OR_RETURN(const std::string unfrozen, first_unfrozen(base_.get(), name));
            if (unfrozen.empty()) {
                return {};
            }
            RETURN_IF_ERROR(
                wait_for(unfrozen,
                         "frozen 1",
                         deadline,
                         "could not be frozen in time: one of them waits in the kernel"));
        }
    }

    Result<bool> is_frozen(const std::string& name) override {
        const auto file = kernel::open_at(base_.get(), name + "/cgroup.freeze", O_RDONLY);
        if (!file) {
            return file.error().sys_errno() == ENOENT ? Result<bool>(false)
                                                      : std::unexpected<Error>(file.error());
        }
        ASSIGN_OR_RETURN(const std::string text, kernel::read_all(file->get(), 16));
        return text.find('1') != std::string::npos;
    }

    Status wait_empty(const std::string& name, const Deadline& deadline) override {
        return wait_for(name, "populated 0", deadline, "did not die in time");
    }

    Result<std::vector<std::int32_t>> processes(const std::string& name) override {
        return processes_below(base_.get(), name);
    }

    Result<bool> out_of_memory(const std::string& name) override {
        const auto events = kernel::open_at(base_.get(), name + "/memory.events", O_RDONLY);
        if (!events) {
            return events.error().sys_errno() == ENOENT ? Result<bool>(false)
                                                        : std::unexpected<Error>(events.error());
        }
        ASSIGN_OR_RETURN(const std::string text, kernel::read_all(events->get(), 4096));
        return text.find("\noom_kill ") != std::string::npos &&
               text.find("\noom_kill 0\n") == std::string::npos;
    }

    Use use(const std::string& name) override {
        const auto group = kernel::open_directory_at(base_.get(), name);
        if (!group) {
            return {};
        }
        return {.memory_bytes = number_in(group->get(), "memory.current"),
                .cpu_microseconds = number_in(group->get(), "cpu.stat", "usage_usec "),
                .processes = number_in(group->get(), "pids.current")};
    }

    Status remove(const std::string& name) override { return remove_tree(base_.get(), name); }

    Result<std::vector<std::string>> list() override {
        std::vector<std::string> names;
        RETURN_IF_ERROR(kernel::for_each_entry(
            base_.get(), [&](const std::string& name, unsigned char type) -> Status {
                if (type == DT_DIR && name != kOwnGroup) {
                    names.push_back(name);
                }
                return {};
            }));
        return names;
    }

  private:
    Status check_limits(const Limits& limits) const {
        for (const auto& [asked, controller] :
             {std::pair(limits.memory_bytes.has_value(), "memory"),
              {limits.cpu_millis.has_value(), "cpu"},
              {limits.pids.has_value(), "pids"}}) {
            if (const std::string why = asked ? support_.why_not(controller) : ""; !why.empty()) {
                return fail(ErrorCode::unsupported, why);
            }
        }
        return {};
    }

    Result<UniqueFd>
    set_up(const std::string& name, const Limits& limits, std::uint32_t owner) const {
        ASSIGN_OR_RETURN(UniqueFd group, kernel::open_directory_at(base_.get(), name));
        RETURN_IF_ERROR(apply_limits(support_.base.substr(1) + "/" + name, group.get(), limits));
        if (filter_) {
            RETURN_IF_ERROR(attach_device_filter(group.get(), filter_.get()));
        }
        // Groups are a limited resource of the host: a group with the memory controller takes one
        // of 65,535 ids.
        RETURN_IF_ERROR(
            kernel::write_control(group.get(), "cgroup.max.depth", std::to_string(kDeepestGroup)));
        RETURN_IF_ERROR(kernel::write_control(
            group.get(), "cgroup.max.descendants", std::to_string(kMostGroups)));
        for (const char* file : {".", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}) {
            if (::fchownat(group.get(), file, owner, owner, 0) != 0) {
                return fail_errno("chown", file);
            }
        }
        return group;
    }

    // Waits until cgroup.events has `line`. A removed group fulfils each condition.
    Status wait_for(const std::string& name,
                    std::string_view line,
                    const Deadline& deadline,
                    const char* otherwise) const {
        const auto events = kernel::open_at(base_.get(), name + "/cgroup.events", O_RDONLY);
        if (!events) {
            return events.error().sys_errno() == ENOENT ? Status{}
                                                        : std::unexpected<Error>(events.error());
        }
        while (true) {
            ASSIGN_OR_RETURN(const bool said, events_say(events->get(), line));
            if (said) {
                return {};
            }
            // A change of cgroup.events shows as POLLPRI (man 7 cgroups).
            pollfd wait{.fd = events->get(), .events = POLLPRI, .revents = 0};
            if (::poll(&wait, 1, deadline.poll_timeout()) == 0) {
                return fail(ErrorCode::timeout, "processes of '" + name + "' " + otherwise);
            }
        }
    }

    Status write(const std::string& name, const char* file, const char* value) {
        Status status = kernel::write_control(base_.get(), name + "/" + file, value);
        if (!status &&
            (status.error().sys_errno() == ENOENT || status.error().sys_errno() == ENODEV)) {
            return {}; // no such group: nothing to do
        }
        return status;
    }

    Support support_;
    UniqueFd base_;
    UniqueFd filter_; ///< invalid where BPF is not permitted; see Support::missing
};

std::set<std::string> words_of(int dir_fd, const std::string& file) {
    std::set<std::string> words;
    const auto fd = kernel::open_at(dir_fd, file, O_RDONLY);
    const auto text = fd ? kernel::read_all(fd->get(), 4096) : std::string();
    std::istringstream stream(text ? *text : "");
    for (std::string word; stream >> word;) {
        words.insert(word);
    }
    return words;
}

// The groups from the mount's root to the base, each as a path below the root.
std::vector<std::string> levels_to(const std::string& base) {
    std::string path = ".";
    std::vector<std::string> levels{path};
    std::istringstream parts(base);
    for (std::string part; std::getline(parts, part, '/');) {
        if (!part.empty()) {
            levels.push_back(path += "/" + part);
        }
    }
    return levels;
}

// A controller is available to our groups only when each group from the root to the base has it in
// its cgroup.subtree_control. This does not write to a level that has it already, because that
// level may belong to the service manager.
void enable_controllers(int mount_fd,
                        Support& support,
                        const std::vector<kernel::MountInfo>& mounts) {
    const std::vector<std::string> levels = levels_to(support.base);
    for (const char* controller : kControllers) {
        bool passed = true;
        for (const std::string& level : levels) {
            const std::string file = level + "/cgroup.subtree_control";
            passed =
                passed &&
                (words_of(mount_fd, file).contains(controller) ||
                 kernel::write_control(mount_fd, file, std::string("+") + controller).has_value());
        }
        if (passed) {
            support.controllers.emplace_back(controller);
        } else {
            support.missing.emplace_back(controller, reason_for(controller, mounts));
        }
    }
}

Status make_own_group(int base_fd, bool stay) {
    RETURN_IF_ERROR(kernel::make_directory_at(base_fd, kOwnGroup, 0755));
    return stay ? Status{}
                : kernel::write_control(base_fd, std::string(kOwnGroup) + "/cgroup.procs", "0");
}

// Two daemons in one group would sweep each other's containers. The lock lasts as long as the
// descriptor, which no monitor inherits.
Status lock_base(int base_fd, const std::string& base) {
    constexpr auto kPredecessorGone = std::chrono::seconds(2); // and its last child before exec
    const Status locked = kernel::lock_exclusively(base_fd, Deadline::after(kPredecessorGone));
    if (!locked && locked.error().code() == ErrorCode::busy) {
        return fail(ErrorCode::busy,
                    "another lodged already keeps its containers in the cgroup " + base +
                        "; stop it, or give this one another `cgroup` in its configuration");
    }
    return with_context(locked, "lock " + base);
}

// Without cgroup.kill a stop would race with a fork bomb, so Lodge requires these files.
Status require_kernel_files(int base_fd) {
    for (const char* file : {"cgroup.kill", "cgroup.freeze", "cgroup.events"}) {
        if (::faccessat(base_fd, (std::string(kOwnGroup) + "/" + file).c_str(), F_OK, 0) != 0) {
            return fail(ErrorCode::unsupported,
                        std::string("this kernel's cgroup v2 has no ") + file +
                            "; Lodge needs Linux 5.14 or newer");
        }
    }
    return {};
}

} // namespace

std::string automatic_base(const std::string& own_group,
                           const std::function<bool(const std::string&)>& is_delegated) {
    const std::string leaf = std::string("/") + kOwnGroup;
    if (own_group.size() > leaf.size() && own_group.ends_with(leaf)) {
        std::string parent = own_group.substr(0, own_group.size() - leaf.size());
        if (is_delegated(parent)) {
            return parent;
        }
    }
    return kDefaultBase;
}

bool stays_in(const std::string& own_group,
              const std::string& automatic_base,
              const std::function<bool(const std::string&)>& is_delegated) {
    return (own_group + "/").rfind(automatic_base + "/", 0) != 0 && is_delegated(own_group);
}

std::string Support::why_not(const std::string& controller) const {
    for (const auto& [name, reason] : missing) {
        if (name == controller) {
            return reason;
        }
    }
    return {};
}

namespace {

// The mount of the hierarchy and the base below it.
struct Found {
    std::vector<kernel::MountInfo> mounts;
    std::string mount_point;
    Place place;
};

Result<Found> find_base(const std::string& base) {
    Found found;
    ASSIGN_OR_RETURN(found.mounts, kernel::read_mountinfo());
    const auto mount = std::find_if(found.mounts.begin(),
                                    found.mounts.end(),
                                    [](const auto& entry) { return entry.type == "cgroup2"; });
    if (mount == found.mounts.end()) {
        return fail(ErrorCode::unsupported,
                    "no cgroup2 filesystem is mounted; Lodge needs cgroup v2");
    }
    found.mount_point = mount->mount_point;
    found.place = find_place(base, mount->mount_point);
    if (found.place.base.front() != '/' ||
        (found.place.base + "/").find("/../") != std::string::npos) {
        return fail(ErrorCode::invalid_argument,
                    "the cgroup base '" + found.place.base + "' must be an absolute path");
    }
    return found;
}

} // namespace

Result<std::unique_ptr<GroupManager>> make_group_manager(const std::string& base) {
    ASSIGN_OR_RETURN(const Found found, find_base(base));
    Support support{.mount_point = found.mount_point, .base = found.place.base};
    const std::string place = support.mount_point + support.base;
    RETURN_IF_ERROR(with_context(kernel::make_directories(place, 0755), "make the base group"));
    ASSIGN_OR_RETURN(const auto root, kernel::open_directory(support.mount_point));
    ASSIGN_OR_RETURN(auto base_fd, kernel::open_directory(place));
    RETURN_IF_ERROR(lock_base(base_fd.get(), support.base));
    RETURN_IF_ERROR(with_context(make_own_group(base_fd.get(), found.place.stay),
                                 "enter the daemon's own group"));
    RETURN_IF_ERROR(require_kernel_files(base_fd.get()));
    enable_controllers(root.get(), support, found.mounts);
    auto filter = load_device_filter();
    if (!filter) {
        support.missing.emplace_back(
            "devices", "device access cannot be filtered: " + filter.error().to_string());
    }
    return std::make_unique<KernelGroups>(
        std::move(support), std::move(base_fd), filter ? std::move(*filter) : UniqueFd());
}

Result<std::string> remove_base(const std::string& base) {
    ASSIGN_OR_RETURN(const Found found, find_base(base));
    const std::string& path = found.place.base;
    const auto base_fd = kernel::open_directory(found.mount_point + path);
    if (!base_fd) {
        return base_fd.error().sys_errno() == ENOENT ? Result<std::string>(std::string())
                                                     : std::unexpected<Error>(base_fd.error());
    }
    RETURN_IF_ERROR(lock_base(base_fd->get(), path));
    ASSIGN_OR_RETURN(const auto pids, processes_below(base_fd->get(), "."));
    if (!pids.empty()) {
        return fail(ErrorCode::busy,
                    "the control group " + path + " has processes, " +
                        std::to_string(pids.front()) + " for one");
    }
    ASSIGN_OR_RETURN(const auto root, kernel::open_directory(found.mount_point));
    RETURN_IF_ERROR(
        with_context(remove_tree(root.get(), path.substr(1)), "remove the control group " + path));
    return path;
}

} // namespace lodge::cgroup
