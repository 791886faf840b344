#include "lib/kernel/process.hpp"

#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::kernel {

Result<Cloned> clone_process(std::uint64_t namespaces, int cgroup_fd) {
    int pidfd = -1;
    clone_args arguments{};
    arguments.flags = __u64{namespaces} | CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    arguments.exit_signal = SIGCHLD;
    if (cgroup_fd >= 0) {
        arguments.flags |= __u64{CLONE_INTO_CGROUP};
        arguments.cgroup = static_cast<__u64>(cgroup_fd);
    }
    const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) {
        return fail_errno("clone3");
    }
    if (pid == 0) {
        return Cloned{};
    }
    return Cloned{static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

Result<std::string> boot_id() {
    ASSIGN_OR_RETURN(std::string id, read_file("/proc/sys/kernel/random/boot_id", 64));
    std::erase(id, '\n');
    return id;
}

Result<UniqueFd> open_process(pid_t pid) {
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) {
        return fail_errno("pidfd_open", std::to_string(pid));
    }
    return pidfd;
}

Status send_signal(int pidfd, int signal_number) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal_number, nullptr, 0) != 0 && errno != ESRCH) {
        return fail_errno("pidfd_send_signal");
    }
    return {};
}

Result<std::uint64_t> parse_start_time(std::string_view stat) {
    const auto refuse = [] { return fail(ErrorCode::corrupt, "not a line of /proc/PID/stat"); };
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string_view::npos) {
        return refuse();
    }
    stat.remove_prefix(name_end + 1); // from here: " S PPID ...", field 3 first
    constexpr int kFieldsBefore = 20; // 3..21, and the blank in front of each but the first
    for (int field = 0; field < kFieldsBefore; ++field) {
        const std::size_t blank = stat.find(' ');
        if (blank == std::string_view::npos) {
            return refuse();
        }
        stat.remove_prefix(blank + 1);
    }
    std::uint64_t start_time = 0;
    const auto [end, error] = std::from_chars(stat.data(), stat.data() + stat.size(), start_time);
    if (error != std::errc{} || end == stat.data()) {
        return refuse();
    }
    return start_time;
}

Result<std::uint64_t> process_start_time(int proc_fd, pid_t pid) {
    ASSIGN_OR_RETURN(const UniqueFd file,
                     open_at(proc_fd, std::to_string(pid) + "/stat", O_RDONLY));
    // The file has 52 numbers and a name of at most 64 bytes, and one read(2) returns it. The
    // buffer is small, because each monitor calls this and a host has many monitors.
    std::array<char, 1024> line;
    const ssize_t size = ::read(file.get(), line.data(), line.size());
    if (size < 0) {
        return fail_errno("read", "/proc/PID/stat");
    }
    return parse_start_time(std::string_view(line.data(), static_cast<std::size_t>(size)));
}

Result<bool> parse_heeds(std::string_view status, int signal_number) {
    bool heeds = false;
    for (const std::string_view name : {"\nSigBlk:\t", "\nSigCgt:\t"}) {
        const std::size_t at = status.find(name);
        const std::string_view digits =
            at == std::string_view::npos ? "" : status.substr(at + name.size());
        std::uint64_t mask = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
        if (error != std::errc{} || end == digits.data()) {
            return fail(ErrorCode::corrupt, "not a /proc/PID/status");
        }
        heeds = heeds || (mask >> (signal_number - 1) & 1) != 0;
    }
    return heeds;
}

Result<bool> heeds_signal(int proc_fd, pid_t pid, int signal_number) {
    ASSIGN_OR_RETURN(const UniqueFd file,
                     open_at(proc_fd, std::to_string(pid) + "/status", O_RDONLY));
    constexpr std::size_t kMost = std::size_t{1} << 20; // up to 65,536 groups
    ASSIGN_OR_RETURN(const std::string status, read_all(file.get(), kMost));
    return parse_heeds(status, signal_number);
}

} // namespace lodge::kernel
