#include "daemon/monitor/accounts.hpp"
#include "daemon/monitor/session.hpp"
#include "daemon/monitor/tenant_limits.hpp"
#include "daemon/monitor/terminal.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/namespaces.hpp"
#include "lib/kernel/privileges.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

constexpr int kJoined =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
// Where the channel to the monitor is put: the only descriptor but stdio that outlives join().
constexpr int kChannel = 3;
constexpr const char* kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Child {
    const SessionContext& context;
    ExecOrder& order;
    int channel = -1; ///< the current descriptor of the channel to the monitor
    std::string seccomp_program;
    UniqueFd root;
    Account account;
    std::vector<std::string> environment;
};

// Namespaces before: the monitor's; pid is the container's by birth, the group by
// CLONE_INTO_CGROUP. After: all the container's, and no descriptor of the host left but the channel
// and stdio.
Status join(Child& child, const std::array<UniqueFd, 3>& stdio) {
    RETURN_IF_ERROR(reset_session_oom_adjustment(child.context.proc));
    RETURN_IF_ERROR(kernel::join_namespaces(child.context.container, kJoined));
    RETURN_IF_ERROR(kernel::become(0, 0, {}));
    RETURN_IF_ERROR(kernel::forbid_tracing());
    if (::setsid() < 0) {
        return fail_errno("setsid");
    }
    for (int standard = 0; standard < 3; ++standard) {
        const int fd = stdio[static_cast<std::size_t>(standard)].get();
        if (fd >= 0 && ::dup2(fd, standard) < 0) {
            return fail_errno("dup2");
        }
    }
    if (child.channel != kChannel && ::dup3(child.channel, kChannel, O_CLOEXEC) < 0) {
        return fail_errno("dup3");
    }
    child.channel = kChannel;
    // Before this process walks the first path of the tenant: a path of the tenant must not lead to
    // a descriptor of ours.
    if (::close_range(kChannel + 1, ~0U, 0) != 0) {
        return fail_errno("close_range");
    }
    ASSIGN_OR_RETURN(child.root, kernel::open_file("/", O_PATH | O_DIRECTORY));
    (void)::umask(0022);
    return {};
}

Status take_terminal(Child& child) {
    if (!child.order.terminal) {
        return {};
    }
    ASSIGN_OR_RETURN(const Terminal terminal, open_terminal(child.root.get()));
    if (child.order.rows > 0 && child.order.columns > 0) {
        RETURN_IF_ERROR(
            set_window_size(terminal.master.get(), child.order.rows, child.order.columns));
    }
    // The group stays that of the mount, "tty".
    if (::fchown(terminal.slave.get(), child.account.user, static_cast<gid_t>(-1)) != 0) {
        return fail_errno("fchown", "the terminal");
    }
    if (::ioctl(terminal.slave.get(), TIOCSCTTY, 0) != 0) {
        return fail_errno("ioctl(TIOCSCTTY)");
    }
    for (int standard = 0; standard < 3; ++standard) {
        if (::dup2(terminal.slave.get(), standard) < 0) {
            return fail_errno("dup2");
        }
    }
    const std::array fds{terminal.master.get()};
    return send(child.channel, MessageType::terminal, {}, fds);
}

bool has_variable(const std::vector<std::string>& environment, std::string_view name) {
    for (const std::string& entry : environment) {
        if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
            return true;
        }
    }
    return false;
}

void fill_environment(Child& child) {
    child.environment = std::move(child.order.environment);
    const auto set_default = [&](std::string_view name, const std::string& value) {
        if (!has_variable(child.environment, name)) {
            child.environment.push_back(std::string(name) + "=" + value);
        }
    };
    const Account& account = child.account;
    set_default("HOME", account.home);
    set_default("USER", account.name);
    set_default("LOGNAME", account.name);
    set_default("SHELL", account.shell);
    if (!has_variable(child.environment, "PATH")) {
        child.environment.emplace_back(kDefaultPath);
    }
    if (child.order.terminal) {
        set_default("TERM", "vt220");
    }
    set_default("container", "lodge");
    if (child.order.login_shell) {
        const std::size_t slash = account.shell.rfind('/');
        child.order.argv = {"-" + account.shell.substr(slash == std::string::npos ? 0 : slash + 1)};
    }
}

// By descriptor, resolved below the container's root without magic links: /proc/self/fd/N cannot
// lead out of the container, even if a descriptor of the host were still open.
Status enter_directory(const Child& child) {
    const bool chosen = !child.order.directory.empty();
    const std::string& path = chosen ? child.order.directory : child.account.home;
    auto directory = kernel::open_hostile(
        child.root.get(), path, O_PATH | O_DIRECTORY, 0, kernel::Resolve::in_root);
    if (!directory && !chosen) {
        return {}; // a user without a home works in /
    }
    if (!directory) {
        return std::unexpected<Error>(
            Error::from_errno("enter the directory", path, directory.error().sys_errno())
                .with_code(ErrorCode::invalid_argument));
    }
    if (::fchdir(directory->get()) != 0) {
        return fail_errno("chdir", path);
    }
    return {};
}

Status become_user(Child& child) {
    RETURN_IF_ERROR(confine(child.seccomp_program));
    const Account& account = child.account;
    RETURN_IF_ERROR(kernel::become(account.user, account.group, account.groups));
    RETURN_IF_ERROR(kernel::forbid_tracing());
    return enter_directory(child);
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> list;
    list.reserve(strings.size() + 1);
    for (std::string& text : strings) {
        list.push_back(text.data());
    }
    list.push_back(nullptr);
    return list;
}

std::string_view path_of(const std::vector<std::string>& environment) {
    for (const std::string& entry : environment) {
        if (entry.starts_with("PATH=")) {
            return std::string_view(entry).substr(5);
        }
    }
    return {};
}

std::unexpected<Error> cannot_execute(const std::string& name, int error_number) {
    Error error = Error::from_errno("execute", name, error_number);
    if (error_number == E2BIG) { // man 2 execve, "Limits on size of arguments and environment"
        return std::unexpected<Error>(
            Error(error.code(),
                  "the command's words and its environment are longer than the kernel takes: 128 "
                  "KiB each, 2 MiB in all, of which each takes nine bytes more than it has")
                .with_errno(error_number));
    }
    return std::unexpected<Error>(std::move(error));
}

// Searches PATH as a shell does and executes the first file that can be executed. It keeps the
// error of a file that was found but cannot be executed.
Status execute_command(Child& child) {
    kernel::reset_signals();
    const std::vector<char*> argv = pointers(child.order.argv);
    const std::vector<char*> environment = pointers(child.environment);
    const std::string name =
        child.order.login_shell ? child.account.shell : child.order.argv.front();
    if (name.find('/') != std::string::npos) {
        (void)::execve(name.c_str(), argv.data(), environment.data());
        return cannot_execute(name, errno);
    }
    int worst = ENOENT;
    std::string_view path = path_of(child.environment);
    while (!path.empty()) {
        const std::size_t colon = path.find(':');
        const std::string candidate = std::string(path.substr(0, colon)) + "/" + name;
        path.remove_prefix(colon == std::string_view::npos ? path.size() : colon + 1);
        (void)::execve(candidate.c_str(), argv.data(), environment.data());
        worst = errno == ENOENT || errno == ENOTDIR ? worst : errno;
    }
    return cannot_execute(name, worst);
}

Status find_user(Child& child) {
    ASSIGN_OR_RETURN(child.account, read_account(child.root.get(), child.order.user));
    return {};
}

Status prepare(Child& child, const std::array<UniqueFd, 3>& stdio) {
    RETURN_IF_ERROR(with_context(join(child, stdio), "enter the container"));
    RETURN_IF_ERROR(find_user(child));
    RETURN_IF_ERROR(with_context(take_terminal(child), "open a terminal in the container"));
    fill_environment(child);
    return become_user(child);
}

} // namespace

void run_session_child(const SessionContext& context,
                       ExecOrder& order,
                       std::array<UniqueFd, 3> stdio,
                       UniqueFd channel) {
    Child child{.context = context,
                .order = order,
                .channel = channel.get(),
                .seccomp_program = *context.seccomp_program,
                .root = {},
                .account = {},
                .environment = {}};
    const Status prepared = prepare(child, stdio);
    const Status executed = prepared ? execute_command(child) : prepared;
    // Reached only when the exec failed. The exit codes of a shell: 127 not found, 126 found but
    // not executable. Also 126 for a failure before the search.
    const Error& error = executed.error();
    constexpr int kCannotExecute = 126;
    constexpr int kNotFound = 127;
    (void)send_failure(child.channel, StartStage::none, error); // the exit code reports it too
    ::_exit(prepared && error.sys_errno() == ENOENT ? kNotFound : kCannotExecute);
}

} // namespace lodge::monitor
