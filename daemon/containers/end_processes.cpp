#include "daemon/containers/end_processes.hpp"

#include "lib/kernel/fs.hpp"

#include <chrono>
#include <string>

namespace lodge::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto kMostDieWithin = 500ms;
constexpr auto kKillDeadline = 10s;

// The first line of a file of /proc/PID, or "?" when it is gone or cannot be read.
std::string word_of(std::int32_t pid, const char* file) {
    const auto text = kernel::read_file("/proc/" + std::to_string(pid) + "/" + file, 4096);
    std::string word = text ? text->substr(0, text->find('\n')) : std::string();
    return word.empty() || word == "0" ? "?" : word;
}

// "4711 (cat, in request_wait_answer)": for a person who looks for the cause.
std::string describe(const std::vector<std::int32_t>& pids) {
    constexpr std::size_t kMostNamed = 5;
    std::string text;
    for (std::size_t i = 0; i < pids.size() && i < kMostNamed; ++i) {
        text += (i == 0 ? "" : ", ") + std::to_string(pids[i]) + " (" + word_of(pids[i], "comm") +
                ", in " + word_of(pids[i], "wchan") + ")";
    }
    return text + (pids.size() > kMostNamed ? ", ..." : "");
}

// A tenant's FUSE server, alive or dead, that took a request and does not answer holds the waiting
// process where no signal reaches it.
void break_fuse(const Parts& parts, const model::Container& container) {
    if (container.uid_base == 0) {
        return; // not known: those ids would be the host's
    }
    const auto broken = parts.break_fuse(container.uid_base, model::kIdsPerContainer);
    if (!broken) {
        parts.warn("break the FUSE connections of '" + container.spec.name +
                   "': " + broken.error().to_string() + ", ignoring");
    } else if (*broken > 0) {
        parts.warn("'" + container.spec.name + "': broke " + std::to_string(*broken) +
                   " FUSE connection(s) of its own that kept its processes from dying");
    }
}

} // namespace

Status end_processes(const Parts& parts, const model::Container& container) {
    const std::string group = Parts::group_of(container);
    RETURN_IF_ERROR(parts.groups.kill(group));
    const Status most = parts.groups.wait_empty(group, Deadline::after(kMostDieWithin));
    if (most || most.error().code() != ErrorCode::timeout) {
        return most;
    }
    break_fuse(parts, container);
    const Status all = parts.groups.wait_empty(group, Deadline::after(kKillDeadline));
    if (all || all.error().code() != ErrorCode::timeout) {
        return all;
    }
    ASSIGN_OR_RETURN(const auto left, parts.groups.processes(group));
    return fail(ErrorCode::timeout,
                "processes of '" + container.spec.name +
                    "' were killed and do not die, because they wait in the kernel: " +
                    describe(left) + "; free what they wait for, then stop it again");
}

} // namespace lodge::daemon
