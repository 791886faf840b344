#include "daemon/monitor/attach.hpp"
#include "daemon/monitor/start.hpp"
#include "daemon/monitor/tenant_limits.hpp"
#include "daemon/monitor/terminal.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/namespaces.hpp"
#include "lib/kernel/privileges.hpp"

#include <array>
#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

using namespace std::chrono_literals;

// The monitor has deadlines of its own and kills us; this one only guards against a monitor that is
// stopped for ever.
constexpr auto kPatience = 300s;

struct Clone {
    StartOrder& order;
    int socket = -1;
    OwnMounts mounts;
    UniqueFd root; ///< the container's root directory, once it is our root
};

// Namespaces now: own user (ids not mapped), mount (a copy of the monitor's empty one), pid, uts,
// ipc, net; the host's cgroup.
Status take_identity(Clone& clone) {
    RETURN_IF_ERROR(kernel::die_with_parent());
    // Not at the clone: this process must be a member of the container's group first, because that
    // group becomes the root of the namespace.
    RETURN_IF_ERROR(kernel::unshare_namespaces(CLONE_NEWCGROUP));
    RETURN_IF_ERROR(expect(clone.socket, MessageType::ids_mapped, Deadline::after(kPatience)));
    RETURN_IF_ERROR(kernel::become(0, 0, {}));
    // The change of ids has cleared both.
    RETURN_IF_ERROR(kernel::forbid_tracing());
    RETURN_IF_ERROR(kernel::die_with_parent());
    if (::setsid() < 0) {
        return fail_errno("setsid");
    }
    const std::string& name = clone.order.hostname;
    if (::sethostname(name.data(), name.size()) != 0) {
        return fail_errno("sethostname", name);
    }
    (void)::umask(0022);
    return {};
}

// Namespaces from here on: all own. While the monitor builds the root, we make what only a member
// of the new namespaces can make.
Status make_mounts(Clone& clone) {
    ASSIGN_OR_RETURN(clone.mounts, make_own_mounts());
    return {};
}

Status pivot(Clone& clone) {
    ASSIGN_OR_RETURN(Message message,
                     expect(clone.socket, MessageType::root_ready, Deadline::after(kPatience)));
    if (message.fds.size() != 1) {
        return fail(ErrorCode::corrupt, "the monitor sent no /dev");
    }
    clone.mounts.devices = std::move(message.fds[0]);
    ASSIGN_OR_RETURN(clone.root, kernel::open_directory(kHandover));
    return kernel::pivot_into(clone.root.get());
}

Status attach(Clone& clone) {
    return attach_own_mounts(clone.root.get(), clone.mounts, clone.order.uuid);
}

Status open_console(Clone& clone) {
    ASSIGN_OR_RETURN(Terminal terminal, open_terminal(clone.root.get()));
    RETURN_IF_ERROR(attach_console(clone.root.get(), terminal.number));
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::dup2(terminal.slave.get(), standard) < 0) {
            return fail_errno("dup2");
        }
    }
    const std::array fds{terminal.master.get()};
    return send(clone.socket, MessageType::set_up, {}, fds);
}

Status wait_for_go(Clone& clone) {
    RETURN_IF_ERROR(expect(clone.socket, MessageType::go, Deadline::after(kPatience)));
    return {};
}

Status drop_privileges(Clone& clone) {
    kernel::reset_signals();
    clone.root.reset();
    RETURN_IF_ERROR(confine(clone.order.seccomp_program));
    // All our descriptors are O_CLOEXEC; this closes any other.
    if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        return fail_errno("close_range");
    }
    return {};
}

Status execute(Clone& clone) {
    std::vector<char*> argv;
    argv.reserve(clone.order.init.size() + 1);
    for (std::string& argument : clone.order.init) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    std::string uuid = "container_uuid=" + clone.order.uuid;
    std::array<char*, 6> environment{
        const_cast<char*>("container=lodge"), // exec(3) lacks const, but does not write
        uuid.data(),
        const_cast<char*>("TERM=vt220"),
        const_cast<char*>("HOME=/root"),
        const_cast<char*>("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        nullptr};
    (void)::execve(argv[0], argv.data(), environment.data());
    return std::unexpected<Error>(
        Error::from_errno("its init cannot be executed, or the interpreter that it names: execve",
                          clone.order.init[0],
                          errno)
            .with_code(ErrorCode::invalid_state));
}

struct CloneStep {
    StartStage stage; ///< reached when the step has succeeded
    Status (*run)(Clone&);
};

constexpr std::array kCloneSteps{
    CloneStep{StartStage::clone_identity, take_identity},
    CloneStep{StartStage::clone_mounts, make_mounts},
    CloneStep{StartStage::clone_pivoted, pivot},
    CloneStep{StartStage::clone_attached, attach},
    CloneStep{StartStage::clone_console, open_console},
    CloneStep{StartStage::clone_waiting, wait_for_go},
    CloneStep{StartStage::clone_privileges, drop_privileges},
    CloneStep{StartStage::clone_exec, execute},
};

} // namespace

void run_clone(StartOrder& order, UniqueFd socket) {
    Clone clone{.order = order, .socket = socket.get(), .mounts = {}, .root = {}};
    StartStage reached = StartStage::cloned;
    for (const CloneStep& step : kCloneSteps) {
        if (Status status = step.run(clone); !status) {
            // Nobody listens: the monitor is dead, and this process dies in a moment.
            (void)send_failure(socket.get(), reached, status.error());
            break;
        }
        reached = step.stage;
    }
    constexpr int kFailed = 70;
    ::_exit(kFailed);
}

} // namespace lodge::monitor
