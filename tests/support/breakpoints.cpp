#include "tests/support/breakpoints.hpp"

#include "lib/base/clock.hpp"
#include "tests/support/patience.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <poll.h>
#include <sys/wait.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

void pause_for_a_step() {
    (void)::poll(nullptr, 0, 2);
}

} // namespace

Breakpoints::Breakpoints(LodgeHost& host)
    : host_(host), directory_(host.directory() + "/breakpoints") {
    std::filesystem::create_directory(directory_);
    host.give_daemons({"LD_PRELOAD=" LODGE_BIN_DIR "/tests/lodge_breakpoint.so",
                       "LODGE_BREAKPOINTS=" + directory_});
}

void Breakpoints::order(int signal, const std::string& point) const {
    std::ofstream(directory_ + "/order.new") << signal << " " << point << "\n";
    std::filesystem::rename(directory_ + "/order.new", directory_ + "/order"); // atomic
}

std::vector<std::string> Breakpoints::lines() const {
    std::vector<std::string> points;
    std::ifstream file(directory_ + "/passed");
    for (std::string point; std::getline(file, point);) {
        points.push_back(point);
    }
    return points;
}

std::vector<std::string> Breakpoints::passed() const {
    std::vector<std::string> points;
    for (const std::string& point : lines()) {
        if (std::find(points.begin(), points.end(), point) == points.end()) {
            points.push_back(point);
        }
    }
    return points;
}

void Breakpoints::forget(unsigned operations) {
    std::filesystem::remove(directory_ + "/passed");
    operations_ = operations;
}

bool Breakpoints::is_over() const {
    const auto points = lines();
    const auto count = [&](const char* mark) {
        return std::count_if(points.begin(), points.end(), [mark](const std::string& point) {
            return point.starts_with(mark);
        });
    };
    const auto begun = count("after begin of ");
    return begun >= operations_ && count("after end of ") == begun;
}

bool Breakpoints::await_end() const {
    const Deadline deadline = Deadline::after(patience(30s));
    while (!is_over()) {
        if (deadline.expired()) {
            return false;
        }
        pause_for_a_step();
    }
    return true;
}

// Does not reap the daemon: LodgeHost does that.
Halt Breakpoints::halted() const {
    siginfo_t state{};
    (void)::waitid(P_PID,
                   static_cast<id_t>(host_.daemon_pid()),
                   &state,
                   WEXITED | WSTOPPED | WNOHANG | WNOWAIT);
    if (state.si_pid == 0) {
        return Halt::none;
    }
    return state.si_code == CLD_STOPPED ? Halt::stopped : Halt::dead;
}

Halt Breakpoints::await_halt() const {
    const Deadline deadline = Deadline::after(patience(30s));
    while (true) {
        const bool missed = is_over() && std::filesystem::exists(directory_ + "/order");
        if (const Halt halt = halted(); halt != Halt::none || missed || deadline.expired()) {
            return halt;
        }
        pause_for_a_step();
    }
}

} // namespace lodge::test
