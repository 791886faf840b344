#include "daemon/runtime/halt_signal.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/process.hpp"

#include <charconv>
#include <csignal>
#include <string_view>
#include <system_error>
#include <utility>

namespace lodge::daemon {

int halt_signal_number(const std::string& name) {
    constexpr std::string_view kRealTime = "SIGRTMIN+";
    if (name.rfind(kRealTime, 0) == 0) {
        int offset = 0;
        const auto end =
            std::from_chars(name.data() + kRealTime.size(), name.data() + name.size(), offset);
        return end.ec == std::errc{} ? SIGRTMIN + offset : SIGTERM;
    }
    for (const auto& [known, number] : {std::pair{"SIGPWR", SIGPWR},
                                        {"SIGINT", SIGINT},
                                        {"SIGTERM", SIGTERM},
                                        {"SIGUSR1", SIGUSR1},
                                        {"SIGUSR2", SIGUSR2},
                                        {"SIGQUIT", SIGQUIT}}) {
        if (name == known) {
            return number;
        }
    }
    return SIGTERM;
}

bool is_deaf(const InitProcess& init, int signal_number) {
    const auto proc = kernel::open_directory("/proc");
    if (!proc || init.pid == 0) {
        return false;
    }
    const auto heeds = kernel::heeds_signal(proc->get(), init.pid, signal_number);
    const auto started = kernel::process_start_time(proc->get(), init.pid);
    return heeds && !*heeds && started && *started == init.start_time;
}

} // namespace lodge::daemon
