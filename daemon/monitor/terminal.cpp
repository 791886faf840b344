#include "daemon/monitor/terminal.hpp"

#include "lib/kernel/fs.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

namespace lodge::monitor {

namespace {

constexpr unsigned kTtyMajor = 5;
constexpr unsigned kPtmxMinor = 2;

Status require_ptmx(int fd) {
    struct stat info{};
    struct statfs filesystem{};
    if (::fstat(fd, &info) != 0 || ::fstatfs(fd, &filesystem) != 0) {
        return fail_errno("stat", "/dev/pts/ptmx");
    }
    if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(kTtyMajor, kPtmxMinor) ||
        filesystem.f_type != DEVPTS_SUPER_MAGIC) {
        return fail(ErrorCode::invalid_state,
                    "the container's /dev/pts/ptmx is not a devpts multiplexer");
    }
    return {};
}

} // namespace

Result<Terminal> open_terminal(int root) {
    Terminal terminal;
    // O_NONBLOCK: so that a FIFO in its place cannot hold us; the terminal's own setting is cleared
    // again below.
    ASSIGN_OR_RETURN(terminal.master,
                     kernel::open_hostile(root,
                                          "dev/pts/ptmx",
                                          O_RDWR | O_NOCTTY | O_NONBLOCK,
                                          0,
                                          kernel::Resolve::beneath_no_symlinks));
    RETURN_IF_ERROR(require_ptmx(terminal.master.get()));
    int unlock = 0;
    if (::ioctl(terminal.master.get(), TIOCSPTLCK, &unlock) != 0) {
        return fail_errno("ioctl(TIOCSPTLCK)");
    }
    if (::ioctl(terminal.master.get(), TIOCGPTN, &terminal.number) != 0) {
        return fail_errno("ioctl(TIOCGPTN)");
    }
    terminal.slave.reset(
        ::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.slave) {
        return fail_errno("ioctl(TIOCGPTPEER)");
    }
    if (::fcntl(terminal.master.get(), F_SETFL, O_RDWR) != 0) {
        return fail_errno("fcntl(F_SETFL)");
    }
    return terminal;
}

Status set_window_size(int terminal, std::uint16_t rows, std::uint16_t columns) {
    winsize size{};
    size.ws_row = rows;
    size.ws_col = columns;
    if (::ioctl(terminal, TIOCSWINSZ, &size) != 0) {
        return fail_errno("ioctl(TIOCSWINSZ)");
    }
    return {};
}

} // namespace lodge::monitor
