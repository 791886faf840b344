#include "tests/support/left_loop.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/loop.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/file.h>
#include <sys/ioctl.h>

namespace lodge::test {

Result<std::string> leave_loop(const std::string& image, const std::string& label, Shown shown) {
    ASSIGN_OR_RETURN(const auto file,
                     shown == Shown::name_alone ? kernel::open_unseen(image, O_RDWR)
                                                : kernel::open_file(image, O_RDWR));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail_errno("flock", image);
    }
    ASSIGN_OR_RETURN(const auto loop, kernel::LoopDevice::attach(file.get(), {.label = label}));
    loop_info64 info{};
    if (::ioctl(loop.fd(), LOOP_GET_STATUS64, &info) != 0) {
        return fail_errno("LOOP_GET_STATUS64", loop.path());
    }
    info.lo_flags &= ~static_cast<__u32>(LO_FLAGS_AUTOCLEAR);
    if (::ioctl(loop.fd(), LOOP_SET_STATUS64, &info) != 0) {
        return fail_errno("LOOP_SET_STATUS64", loop.path());
    }
    return loop.path();
}

} // namespace lodge::test
