#include "lib/base/standard_streams.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace lodge {

Status fill_standard_streams() {
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(standard, F_GETFD) >= 0) {
            continue;
        }
        // open(2) returns the lowest free descriptor, which is this one. Not O_CLOEXEC: children
        // inherit the standard streams.
        if (::open("/dev/null", O_RDWR) < 0) {
            return fail_errno("open", "/dev/null");
        }
    }
    return {};
}

} // namespace lodge
