#include "daemon/monitor/protocol.hpp"
#include "daemon/monitor/server.hpp"
#include "daemon/monitor/start.hpp"
#include "daemon/monitor/tenant_limits.hpp"
#include "lib/base/standard_streams.hpp"
#include "lib/kernel/privileges.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <linux/capability.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace lodge;
using namespace lodge::monitor;

constexpr auto kOrderDeadline = std::chrono::seconds(30);

// A monitor ends when its container has ended and was collected, and by SIGKILL. No terminal, no
// clean-up of a service manager and no dead peer ends it.
void set_signals() {
    for (const int number :
         {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM}) {
        struct sigaction action{};
        action.sa_handler = SIG_IGN;
        (void)::sigaction(number, &action, nullptr); // valid numbers: cannot fail
    }
    sigset_t child;
    (void)::sigemptyset(&child);
    (void)::sigaddset(&child, SIGCHLD);
    (void)::pthread_sigmask(SIG_BLOCK, &child, nullptr);
}

// From here on the monitor needs little. It may signal and enter the container as the owner of its
// user namespace (man 7 user_namespaces), which is the container's root in the host's ids. It has
// to write in the container's control groups, which belong to the tenant. The capability of a
// session's first act (reset_session_oom_adjustment) is kept permitted and not effective.
Status become(uid_t owner) {
    constexpr kernel::CapabilitySet kKept = kernel::capability_set(CAP_DAC_OVERRIDE);
    ASSIGN_OR_RETURN(const kernel::CapabilitySet permitted, kernel::permitted_capabilities());
    RETURN_IF_ERROR(leave_start_mounts());
    RETURN_IF_ERROR(kernel::limit_bounding_set(kKept));
    RETURN_IF_ERROR(kernel::act_as(owner));
    return kernel::set_capabilities(kKept | (kLaidAside & permitted), kKept);
}

Result<std::unique_ptr<Server>> start(UniqueFd& channel, StartStage& stage) {
    ASSIGN_OR_RETURN(Message message,
                     expect(channel.get(), MessageType::start, Deadline::after(kOrderDeadline)));
    Start start{};
    start.channel = channel.get();
    ASSIGN_OR_RETURN(start.order, decode_start_order(message));
    auto container = start_container(start);
    stage = start.stage;
    if (!container) {
        return std::unexpected<Error>(std::move(container).error());
    }
    RETURN_IF_ERROR(become(container->order.uid_base));
    // Init runs. If the daemon just died, the next one finds us by our socket.
    (void)send(channel.get(), MessageType::started);
    return Server::create(std::move(*container), std::move(channel));
}

int run(UniqueFd channel) {
    StartStage stage = StartStage::none;
    auto server = start(channel, stage);
    if (!server) {
        // Our death ends the container. Without a daemon nobody receives the error.
        if (channel) {
            (void)send_failure(channel.get(), stage, server.error());
        }
        return 1;
    }
    return (*server)->run() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    if (!fill_standard_streams()) {
        return 1; // stderr may be closed
    }
    if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
        (void)std::puts("lodge-monitor " LODGE_VERSION);
        return 0;
    }
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(kStartChannel, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        type != SOCK_SEQPACKET) {
        (void)std::fputs("lodge-monitor is started by lodged\n", stderr);
        return 2;
    }
    // Large blocks go back to the kernel when they are freed, and the threshold does not grow.
    constexpr int kLargeBlock = 32 * 1024;
    (void)::mallopt(M_MMAP_THRESHOLD, kLargeBlock); // NOLINT(concurrency-mt-unsafe): one thread
    set_signals();
    return run(UniqueFd(kStartChannel));
}
