#include "tests/guest/hang.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace guest {

namespace {

int complain(const char* what) {
    std::fprintf(stderr, "guest: %s: %s\n", what, std::strerror(errno));
    return 1;
}

void say_hung() {
    (void)!::write(STDOUT_FILENO, "hung\n", 5);
}

// The first request is the kernel's greeting; nobody's request goes out before it is answered.
bool answer_greeting(int device) {
    alignas(fuse_in_header) std::array<char, FUSE_MIN_READ_BUFFER> buffer{};
    if (::read(device, buffer.data(), buffer.size()) <
        static_cast<ssize_t>(sizeof(fuse_in_header))) {
        return false;
    }
    fuse_in_header request{};
    std::memcpy(&request, buffer.data(), sizeof request);
    fuse_init_in greeting{};
    std::memcpy(&greeting, &buffer[sizeof request], sizeof greeting);
    struct {
        fuse_out_header header;
        fuse_init_out body;
    } answer{};
    answer.header.len = sizeof answer;
    answer.header.unique = request.unique;
    answer.body.major = greeting.major;
    answer.body.minor = greeting.minor;
    answer.body.max_write = 4096;
    return ::write(device, &answer, sizeof answer) == static_cast<ssize_t>(sizeof answer);
}

} // namespace

int run_hang_in_fuse(const std::vector<std::string>& arguments) {
    const std::string& place = arguments.at(0);
    const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) {
        return complain("/dev/fuse");
    }
    const std::string options =
        "fd=" + std::to_string(device) + ",rootmode=40000,user_id=0,group_id=0";
    if (::mount("fuse", place.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
        return complain("mount");
    }
    // As fork(2), but for the table of files.
    const long child = ::syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        struct stat info{};
        (void)::stat((place + "/anything").c_str(), &info);
        ::_exit(0);
    }
    std::array<char, FUSE_MIN_READ_BUFFER> request{};
    if (child < 0 || !answer_greeting(device) ||
        ::read(device, request.data(), request.size()) < 0) {
        return complain("/dev/fuse");
    }
    say_hung();
    (void)::pause();
    return 0;
}

int run_trace_me(const std::vector<std::string>& arguments) {
    const int signal_number = std::atoi(arguments.at(1).c_str());
    (void)!::write(STDOUT_FILENO, "asks\n", 5);
    for (int left = std::atoi(arguments.at(0).c_str()); left > 0; --left) {
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
            return complain("ptrace");
        }
        (void)::raise(signal_number);
    }
    return 7;
}

int run_hang_in_vfork(const std::vector<std::string>&) {
    // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): its wait is what is wanted
    const pid_t child = ::vfork();
    if (child == 0) {
        say_hung();
        (void)::raise(SIGSTOP);
        ::_exit(0);
    }
    return child < 0 ? complain("vfork") : 0;
}

} // namespace guest
