#include "daemon/monitor/start.hpp"

#include "daemon/monitor/tenant_limits.hpp"
#include "lib/base/revert.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/kernel/namespaces.hpp"
#include "lib/kernel/privileges.hpp"
#include "lib/kernel/process.hpp"

#include <array>
#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::monitor {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;

// Generous: an emulated machine with a busy disk. A healthy start takes milliseconds.
constexpr auto kCloneDeadline = 60s;
// For the daemon to open the volume: ext4 may have a journal to replay.
constexpr auto kLayersDeadline = 120s;
// For the daemon to set up the network.
constexpr auto kGoDeadline = 120s;

// Namespaces of the monitor here: those of the host, but its own mount namespace.
Status prepare_process(Start& start) {
    RETURN_IF_ERROR(kernel::forbid_tracing());
    RETURN_IF_ERROR(set_tenant_limits());
    // An empty session keyring in place of the one that the daemon's own caller may have had. A
    // kernel without keyrings has nothing to hide.
    (void)::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0);
    ASSIGN_OR_RETURN(start.listener,
                     kernel::listen_messages(start.order.directory.get(), kSocketName));
    RETURN_IF_ERROR(leave_host_mounts());
    ASSIGN_OR_RETURN(start.proc, kernel::open_file("/proc", O_PATH | O_DIRECTORY));
    return {};
}

// In the clone: closes the inherited descriptors of the monitor. The start channel is the most
// important one, because its end of file tells the daemon that the monitor died.
void forget_parent(Start& start) {
    (void)::close(start.channel);
    start.listener.reset();
    start.proc.reset();
    start.order.directory.reset();
    start.order.cgroup.reset();
}

Status clone_container(Start& start) {
    ASSIGN_OR_RETURN(auto pair, kernel::make_message_pair());
    // The kernel counts namespaces, inotify watches, queued signals and more against who made the
    // user namespace (man 7 user_namespaces, man 5 proc_sys_user). Were that uid 0, all containers
    // would share one count with the host's root, and any of them could take it all.
    RETURN_IF_ERROR(kernel::act_as(start.order.uid_base));
    auto cloned = kernel::clone_process(kNamespaces, start.order.cgroup.get());
    if (!cloned && cloned.error().sys_errno() == ENOSPC) {
        return fail(ErrorCode::resource_exhausted,
                    "the host's limit of namespaces is reached (sysctl user.max_*_namespaces)");
    }
    if (!cloned) {
        return std::unexpected<Error>(std::move(cloned).error());
    }
    if (cloned->pid == 0) {
        forget_parent(start);
        pair.first.reset();
        run_clone(start.order, std::move(pair.second));
    }
    start.pid = cloned->pid;
    start.pidfd = std::move(cloned->pidfd);
    start.clone_socket = std::move(pair.first);
    RETURN_IF_ERROR(kernel::act_as(0));
    reset_oom_adjustment(start.proc.get(), std::to_string(start.pid));
    return {};
}

Status write_id_maps(Start& start) {
    const kernel::IdMap map{.base = start.order.uid_base, .count = kIdsPerContainer};
    RETURN_IF_ERROR(kernel::write_id_maps(start.proc.get(), start.pid, map));
    return send(start.clone_socket.get(), MessageType::ids_mapped);
}

Status tell_cloned(Start& start) {
    ASSIGN_OR_RETURN(start.start_time, kernel::process_start_time(start.proc.get(), start.pid));
    ASSIGN_OR_RETURN(
        const UniqueFd network,
        kernel::open_at(start.proc.get(), std::to_string(start.pid) + "/ns/net", O_RDONLY));
    const std::array fds{network.get()};
    return send(start.channel,
                MessageType::cloned,
                Writer().i32(start.pid).u64(start.start_time).payload(),
                fds);
}

// The daemon opens the volume while we make the clone, and sends the mounts only now.
Status await_layers(Start& start) {
    ASSIGN_OR_RETURN(Message message,
                     expect(start.channel, MessageType::layers, Deadline::after(kLayersDeadline)));
    if (message.fds.size() != (start.order.shared_root ? 2U : 1U)) {
        return fail(ErrorCode::corrupt, "the daemon sent other layers than it announced");
    }
    start.volume = std::move(message.fds[0]);
    if (start.order.shared_root) {
        start.lower = std::move(message.fds[1]);
    }
    return {};
}

Status build_filesystems(Start& start) {
    ASSIGN_OR_RETURN(
        const UniqueFd userns,
        kernel::open_at(start.proc.get(), std::to_string(start.pid) + "/ns/user", O_RDONLY));
    {
        ASSIGN_OR_RETURN(const kernel::MountFd root, build_root(start, userns.get()));
        start.volume.reset();
        start.lower.reset();
        RETURN_IF_ERROR(hand_over_root(root));
    }
    start.stage = StartStage::root_mounted;
    ASSIGN_OR_RETURN(const kernel::MountFd devices, build_devices(start.order.uid_base));
    const std::array fds{devices.get()};
    return send(start.clone_socket.get(), MessageType::root_ready, {}, fds);
}

// The place in the kernel where the clone hangs, from /proc/PID.
std::string where_clone_is(const Start& start) {
    std::string where;
    for (const char* file : {"wchan", "stack"}) {
        constexpr std::size_t kMost = 2048;
        auto fd =
            kernel::open_at(start.proc.get(), std::to_string(start.pid) + "/" + file, O_RDONLY);
        auto text = fd ? kernel::read_all(fd->get(), kMost) : Result<std::string>(std::string());
        if (text && !text->empty()) {
            where += std::string("; ") + file + ": " + *text;
        }
    }
    return where;
}

Status await_set_up(Start& start) {
    auto message =
        expect(start.clone_socket.get(), MessageType::set_up, Deadline::after(kCloneDeadline));
    if (!message) {
        Error error = std::move(message).error();
        if (error.code() == ErrorCode::timeout) {
            error = Error(error.code(), error.message() + where_clone_is(start));
        }
        return std::unexpected<Error>(std::move(error).context("set up the container from inside"));
    }
    if (message->fds.size() != 1) {
        return fail(ErrorCode::corrupt, "the clone sent no console");
    }
    start.console = std::move(message->fds[0]);
    return {};
}

// From here on, our own children are born in the container's pid namespace: an exec session costs
// one clone and not two.
Status adopt_pid_namespace(const Start& start) {
    return kernel::join_namespaces(start.pidfd.get(), CLONE_NEWPID);
}

// Waits for the daemon's `go`, for the death of the daemon or for that of the clone.
Status await_go(Start& start) {
    std::array<pollfd, 2> waits{
        {{start.channel, POLLIN, 0}, {start.clone_socket.get(), POLLIN, 0}}};
    const Deadline deadline = Deadline::after(kGoDeadline);
    while (true) {
        const int ready = ::poll(waits.data(), waits.size(), deadline.poll_timeout());
        if (ready < 0 && errno != EINTR) {
            return fail_errno("poll");
        }
        if (ready == 0) {
            return fail(ErrorCode::timeout, "the daemon did not let init go in time");
        }
        if (ready > 0 && waits[1].revents != 0) {
            return fail(ErrorCode::kernel, "the container died before its init ran");
        }
        if (ready > 0) {
            RETURN_IF_ERROR(expect(start.channel, MessageType::go, deadline));
            return {};
        }
    }
}

// The clone's end of the socket closes with its exec; a failure comes as a message before.
Status let_go(Start& start) {
    RETURN_IF_ERROR(send(start.clone_socket.get(), MessageType::go));
    auto answer = receive(start.clone_socket.get(), Deadline::after(kCloneDeadline));
    if (answer) {
        return std::unexpected<Error>(decode_failure(answer->payload).context("execute init"));
    }
    if (answer.error().code() != ErrorCode::cancelled) {
        return std::unexpected<Error>(std::move(answer).error());
    }
    return {};
}

// A clone that fails sends its error before it ends. Returns that error instead of ours, which
// reports only its end.
Error better_reason(Start& start, Error seen) {
    if (start.clone_socket) {
        auto message = receive(start.clone_socket.get(), Deadline::after(0s));
        if (message && message->type == MessageType::failed) {
            return decode_failure(message->payload);
        }
    }
    return seen;
}

void kill_clone(Start& start) {
    if (start.pid > 0) {
        (void)kernel::send_signal(start.pidfd.get(),
                                  SIGKILL); // our child and not reaped: it exists
        (void)::waitpid(start.pid, nullptr, 0);
    }
}

struct StartStep {
    StartStage stage; ///< reached when the step has succeeded
    Status (*run)(Start&);
};

constexpr std::array kStartSteps{
    StartStep{StartStage::private_mounts, prepare_process},
    StartStep{StartStage::cloned, clone_container},
    StartStep{StartStage::ids_mapped, write_id_maps},
    StartStep{StartStage::ids_mapped, tell_cloned},
    StartStep{StartStage::ids_mapped, await_layers},
    StartStep{StartStage::devices_made, build_filesystems},
    StartStep{StartStage::devices_made, await_set_up},
    StartStep{StartStage::waiting, [](Start& start) { return adopt_pid_namespace(start); }},
    StartStep{StartStage::waiting, await_go},
    StartStep{StartStage::running, let_go},
};

} // namespace

Result<Container> start_container(Start& start) {
    Revert revert;
    revert.add([&start] { kill_clone(start); });
    start.stage = StartStage::received;
    for (const StartStep& step : kStartSteps) {
        if (Status status = step.run(start); !status) {
            return std::unexpected<Error>(better_reason(start, std::move(status).error()));
        }
        start.stage = step.stage;
    }
    revert.commit();
    start.clone_socket.reset();
    return Container{.order = std::move(start.order),
                     .proc = std::move(start.proc),
                     .listener = std::move(start.listener),
                     .pidfd = std::move(start.pidfd),
                     .pid = start.pid,
                     .start_time = start.start_time,
                     .console = std::move(start.console)};
}

} // namespace lodge::monitor
