#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

// Keeps the changes of the tests to links, firewall and mounts in namespaces of their own. Mounts a
// new /sys, which shows the new network namespace.
bool isolate() {
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        return false;
    }
    const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq loopback{};
    std::strncpy(&loopback.ifr_name[0], "lo", IFNAMSIZ - 1);
    loopback.ifr_flags = IFF_UP;
    const bool up = ::ioctl(control, SIOCSIFFLAGS, &loopback) == 0;
    (void)::close(control);
    return up;
}

} // namespace

/// main() of every tier that touches the kernel.
int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    if (!isolate()) {
        std::fprintf(stderr,
                     "these tests need root and namespaces of their own: %s\n",
                     std::strerror(errno));
        return 1;
    }
    return RUN_ALL_TESTS();
}
