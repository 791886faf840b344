#include "lib/base/unique_fd.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace lodge {

void UniqueFd::reset(int fd) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) {
        const int saved = errno;
        (void)::close(old); // a destructor cannot return an error: use close() for that
        errno = saved;
    }
}

Status UniqueFd::close() {
    const int old = release();
    if (old >= 0 && ::close(old) != 0 && errno != EINTR) {
        return fail_errno("close");
    }
    return {};
}

Result<UniqueFd> UniqueFd::duplicate() const {
    const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return fail_errno("fcntl(F_DUPFD_CLOEXEC)");
    }
    return UniqueFd(copy);
}

} // namespace lodge
