// lodge-unpack TREE MOST_BYTES: unpacks the tar archive on stdin into the empty directory TREE. The
// archive is hostile and may take over libarchive. So the work is done in a process of its own,
// with TREE as its root, without network and with five capabilities. Exit codes: 0 done, 2 refused,
// 3 no space, 4 too large, 1 any other failure; one sentence on stderr. After success the first
// line on stdout is the time of the newest entry, and the other lines name the parts left out.

#include "lib/base/standard_streams.hpp"
#include "templates/unpack/extract.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr unsigned kKept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP};

bool drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    for (const unsigned cap : kKept) {
        data[cap / 32].permitted |= 1U << (cap % 32);
        data[cap / 32].effective |= 1U << (cap % 32);
    }
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_capset, &header, &data[0]) == 0;
}

// The tree becomes the whole world. PDEATHSIG: a killed daemon leaves no unpacking behind.
bool confine(const char* tree) {
    return ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
           ::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::chdir(tree) == 0 && ::chroot(".") == 0 && ::chdir("/") == 0 && drop_capabilities();
}

} // namespace

int main(int argc, char** argv) {
    if (!lodge::fill_standard_streams()) {
        return 1; // stderr may be missing, so there is no message
    }
    unsigned long long most_bytes = 0;
    if (argc != 3 ||
        std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), most_bytes).ec != std::errc{}) {
        std::fprintf(stderr, "usage: lodge-unpack TREE MOST_BYTES < ARCHIVE\n");
        return 2;
    }
    if (!confine(argv[1])) {
        std::fprintf(
            stderr, "confine the unpacking to '%s': %s\n", argv[1], strerrordesc_np(errno));
        return 1;
    }
    const lodge::templates::Outcome outcome =
        lodge::templates::extract(STDIN_FILENO, {.most_bytes = most_bytes});
    if (outcome.exit_code != 0) {
        std::fprintf(stderr, "%s\n", outcome.sentence.c_str());
    }
    if (outcome.exit_code == 0) {
        std::printf("%lld\n%s", static_cast<long long>(outcome.newest), outcome.left_out.c_str());
    }
    return std::fflush(stdout) == 0 ? outcome.exit_code : 1;
}
