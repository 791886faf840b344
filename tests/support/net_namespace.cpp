#include "tests/support/net_namespace.hpp"

#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <sched.h>

namespace lodge::test {

NetNamespace::NetNamespace() {
    std::thread([this] {
        if (::unshare(CLONE_NEWNET) == 0) {
            fd_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        }
    }).join();
    if (!fd_) {
        throw std::runtime_error("no network namespace could be made");
    }
}

void NetNamespace::run(const std::function<void()>& body) const {
    bool inside = false;
    std::thread([&] {
        inside = ::setns(fd_.get(), CLONE_NEWNET) == 0;
        if (inside) {
            body();
        }
    }).join();
    if (!inside) {
        throw std::runtime_error("setns failed");
    }
}

} // namespace lodge::test
