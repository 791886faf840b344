#include "tests/guest/pools.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace guest {

namespace {

int say_and_hold(long taken, int error) {
    std::printf("took %ld: %s\n", taken, error == 0 ? "enough" : std::strerror(error));
    (void)std::fflush(stdout);
    std::array<char, 64> nothing{};
    while (::read(STDIN_FILENO, nothing.data(), nothing.size()) > 0) {
    }
    return 0;
}

// As many as one process may have open.
long open_terminals(long most, int& error) {
    long taken = 0;
    error = 0;
    for (; taken < most; ++taken) {
        if (::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) < 0) {
            error = errno;
            break;
        }
    }
    return taken;
}

} // namespace

// A process may have so many files only: children hold the rest, and go with this one.
int run_take_terminals(const std::vector<std::string>& arguments) {
    const long most = std::atol(arguments.at(0).c_str());
    constexpr long kEach = 500;
    long taken = 0;
    int error = 0;
    while (taken < most && error == 0) {
        std::array<int, 2> answer{};
        if (::pipe2(answer.data(), O_CLOEXEC) != 0) {
            return 1;
        }
        const pid_t child = ::fork();
        if (child == 0) {
            (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
            std::array<long, 2> got{};
            got[0] = open_terminals(std::min(kEach, most - taken), error);
            got[1] = error;
            (void)!::write(answer[1], got.data(), sizeof got);
            (void)::pause();
            ::_exit(0);
        }
        std::array<long, 2> got{0, child < 0 ? errno : ECHILD};
        (void)::close(answer[1]);
        (void)!::read(answer[0], got.data(), sizeof got);
        (void)::close(answer[0]);
        taken += got[0];
        error = static_cast<int>(got[1]);
    }
    return say_and_hold(taken, error);
}

int run_take_aio(const std::vector<std::string>& arguments) {
    const long most = std::atol(arguments.at(0).c_str());
    constexpr long kEach = 1000;
    long taken = 0;
    int error = 0;
    while (taken < most && error == 0) {
        aio_context_t context = 0;
        if (::syscall(SYS_io_setup, kEach, &context) == 0) {
            taken += kEach;
        } else {
            error = errno;
        }
    }
    return say_and_hold(taken, error);
}

int run_take_connections(const std::vector<std::string>& arguments) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(arguments.at(1).c_str())));
    if (::inet_pton(AF_INET, arguments.at(0).c_str(), &to.sin_addr) != 1) {
        return 1;
    }
    const long most = std::atol(arguments.at(2).c_str());
    long taken = 0;
    int error = 0;
    while (taken < most && error == 0) {
        const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (::sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 1) {
            ++taken;
        } else {
            error = errno;
        }
    }
    return say_and_hold(taken, error);
}

} // namespace guest
