#include "tests/support/guest_container.hpp"

#include "daemon/seccomp/profile.hpp"
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/session_client.hpp"

#include <cerrno>
#include <chrono>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kUidBase = 0x7f000000;

std::vector<unsigned char> seccomp_program() {
    static const auto program = daemon::compile_seccomp_profile();
    return program ? *program : std::vector<unsigned char>{};
}

daemon::NamespaceRuntimeSettings settings(const std::string& run_directory) {
    return {.program = LODGE_BIN_DIR "/lodge-monitor",
            .run_directory = run_directory,
            .seccomp_program = seccomp_program()};
}

Result<UniqueFd> new_tmpfs() {
    return kernel::new_mount(kernel::NewFilesystem{
        .type = "tmpfs", .source = "guest", .options = {{"mode", "0755"}, {"size", "64m"}}});
}

Result<std::string> cgroup2_mount() {
    ASSIGN_OR_RETURN(const auto mounts, kernel::read_mountinfo());
    for (const kernel::MountInfo& mount : mounts) {
        if (mount.type == "cgroup2") {
            return mount.mount_point;
        }
    }
    return fail(ErrorCode::unsupported, "no cgroup2 is mounted here");
}

Status make_tree(int tree, std::initializer_list<const char*> directories) {
    for (const char* directory : directories) {
        RETURN_IF_ERROR(kernel::make_directory_at(tree, directory, 0755));
    }
    return {};
}

Status fill_userland(int tree) {
    RETURN_IF_ERROR(make_tree(tree,
                              {"bin",
                               "sbin",
                               "etc",
                               "root",
                               "home",
                               "home/user",
                               "proc",
                               "sys",
                               "dev",
                               "run",
                               "tmp",
                               "mnt"}));
    RETURN_IF_ERROR(install(LODGE_BIN_DIR "/tests/lodge_guest", tree, "bin/guest"));
    if (::linkat(tree, "bin/guest", tree, "sbin/init", 0) != 0) {
        return fail_errno("link", "sbin/init");
    }
    RETURN_IF_ERROR(put_file(tree,
                             "etc/passwd",
                             "root:x:0:0:root:/root:/bin/guest\n"
                             "user:x:1000:1000::/home/user:/bin/guest\n"));
    return put_file(
        tree, "etc/group", "root:x:0:\ntty:x:5:user\nuser:x:1000:\nextra:x:2000:other,user\n");
}

// Removes the tree that a container may have made below its group, deepest first.
void remove_group(const std::string& path) {
    if (auto directory = kernel::open_directory(path)) {
        (void)kernel::for_each_entry(directory->get(),
                                     [&](const std::string& name, unsigned char type) -> Status {
                                         if (type == DT_DIR) {
                                             remove_group(path + "/" + name);
                                         }
                                         return {};
                                     });
    }
    (void)::rmdir(path.c_str());
}

} // namespace

Status install(const std::string& program, int tree, const std::string& path) {
    ASSIGN_OR_RETURN(const std::string content, kernel::read_file(program, std::size_t{64} << 20));
    ASSIGN_OR_RETURN(const UniqueFd file, kernel::open_at(tree, path, O_WRONLY | O_CREAT, 0755));
    return kernel::write_all(file.get(), content);
}

Status put_file(int tree, const std::string& path, const std::string& content) {
    ASSIGN_OR_RETURN(const UniqueFd file,
                     kernel::open_at(tree, path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    return kernel::write_all(file.get(), content);
}

GuestContainer::GuestContainer() = default;

GuestContainer::~GuestContainer() {
    monitor_.reset();
    if (runtime_) {
        (void)runtime_->discard(request.uuid);
    }
    if (group_) {
        (void)kernel::write_control(group_.get(), "cgroup.kill", "1");
        (void)await_empty_group();
        group_.reset();
        remove_group(group_path_);
    }
}

Status GuestContainer::prepare(bool shared_root) {
    if (request.init.empty()) {
        ASSIGN_OR_RETURN(request.uuid, Uuid::generate());
        ASSIGN_OR_RETURN(runtime_, daemon::make_namespace_runtime(settings(run_directory())));
        ASSIGN_OR_RETURN(const std::string mount, cgroup2_mount());
        group_path_ =
            mount + "/lodge-test-" + std::to_string(::getpid()) + "-" + request.uuid.to_string();
        RETURN_IF_ERROR(kernel::make_directory(group_path_, 0755));
        ASSIGN_OR_RETURN(group_, kernel::open_directory(group_path_));
        for (const char* file : {"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}) {
            if (::chown((group_path_ + "/" + file).c_str(), kUidBase, kUidBase) != 0) {
                return fail_errno("chown", file);
            }
        }
    }
    request.name = "guest";
    request.hostname = "guest";
    request.uid_base = kUidBase;
    request.shared_root = shared_root;
    request.init = {"/sbin/init"};
    request.cgroup_fd = group_.get();
    ASSIGN_OR_RETURN(volume, new_tmpfs());
    RETURN_IF_ERROR(make_tree(volume.get(), {"data", "data/upper", "data/work", "data/root"}));
    if (shared_root) {
        ASSIGN_OR_RETURN(lower, new_tmpfs());
        RETURN_IF_ERROR(fill_userland(lower.get()));
    } else {
        lower.reset(); // from an earlier call
        ASSIGN_OR_RETURN(const UniqueFd root,
                         kernel::open_at(volume.get(), "data/root", O_PATH | O_DIRECTORY));
        RETURN_IF_ERROR(fill_userland(root.get()));
    }
    return {};
}

Result<std::unique_ptr<daemon::StartingContainer>> GuestContainer::begin() {
    ASSIGN_OR_RETURN(auto starting, runtime_->begin(request));
    RETURN_IF_ERROR(starting->build({.volume_fd = volume.get(), .lower_fd = lower.get()}));
    // As the daemon does: only the running container holds the filesystems.
    volume.reset();
    lower.reset();
    return starting;
}

Status GuestContainer::start() {
    ASSIGN_OR_RETURN(auto starting, begin());
    ASSIGN_OR_RETURN(monitor_, starting->finish());
    return {};
}

Status GuestContainer::await_up(daemon::Monitor& monitor) {
    ASSIGN_OR_RETURN(auto sockets, make_stream_pair());
    RETURN_IF_ERROR(monitor.console(give(sockets.second)));
    RETURN_IF_ERROR(read_until(sockets.first.get(), "guest: up"));
    return {};
}

std::unique_ptr<daemon::Runtime> GuestContainer::another_runtime() const {
    auto runtime = daemon::make_namespace_runtime(settings(run_directory()));
    return runtime ? std::move(*runtime) : nullptr;
}

Result<daemon::InitExit> GuestContainer::await_exit() {
    pollfd wait{.fd = monitor_->event_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(patience(10s).count())) != 1) {
        return fail(ErrorCode::timeout, "init does not exit");
    }
    ASSIGN_OR_RETURN(const daemon::MonitorStatus status, monitor_->status());
    if (!status.exit) {
        return fail(ErrorCode::invalid_state, "the monitor tells of no exit");
    }
    RETURN_IF_ERROR(monitor_->release());
    return *status.exit;
}

Status GuestContainer::await_empty_group() const {
    ASSIGN_OR_RETURN(const UniqueFd events,
                     kernel::open_at(group_.get(), "cgroup.events", O_RDONLY));
    const Deadline deadline = Deadline::after(patience(10s));
    while (true) {
        if (::lseek(events.get(), 0, SEEK_SET) != 0) {
            return fail_errno("lseek");
        }
        ASSIGN_OR_RETURN(const std::string text, kernel::read_all(events.get(), 4096));
        if (text.find("populated 0") != std::string::npos) {
            return {};
        }
        pollfd wait{.fd = events.get(), .events = POLLPRI, .revents = 0};
        if (deadline.expired() || ::poll(&wait, 1, deadline.poll_timeout()) < 0) {
            return fail(ErrorCode::timeout, "processes are left in the group");
        }
    }
}

} // namespace lodge::test
