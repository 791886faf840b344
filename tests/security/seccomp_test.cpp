#include "daemon/seccomp/profile.hpp"
#include "tests/support/requires.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <linux/filter.h>
#include <linux/kcmp.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::daemon {
namespace {

const std::vector<unsigned char>& program() {
    static const std::vector<unsigned char> kProgram = compile_seccomp_profile().value();
    return kProgram;
}

// Runs `probe` in a child under the filter; it returns the errno it met (0: none).
int under_filter(const std::function<int()>& probe) {
    const std::vector<unsigned char>& bytes = program();
    const pid_t child = ::fork(); // this test program has no threads
    if (child == 0) {
        sock_fprog filter{};
        filter.len = static_cast<unsigned short>(bytes.size() / sizeof(sock_filter));
        filter.filter = reinterpret_cast<sock_filter*>(const_cast<unsigned char*>(bytes.data()));
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
            ::_exit(255);
        }
        ::_exit(probe());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_NE(WEXITSTATUS(status), 255) << "the filter was not loaded";
    return WEXITSTATUS(status);
}

int errno_of(long rc) {
    return rc < 0 ? errno : 0;
}

TEST(SeccompProfile, IsAProgramTheKernelTakes) {
    EXPECT_EQ(program().size() % sizeof(sock_filter), 0U);
    EXPECT_LE(program().size() / sizeof(sock_filter), std::size_t{BPF_MAXINSNS});
    EXPECT_EQ(under_filter([] { return errno_of(::syscall(SYS_getpid)); }), 0);
}

// Each with arguments that would fail with another errno where the filter lets the call through.
TEST(SeccompProfile, DeniesEveryCallOfTheTable) {
    std::size_t denied = 0;
    for (const DeniedCall& call : denied_calls()) {
        const int number = seccomp_syscall_resolve_name(std::string(call.name).c_str());
        if (number < 0) {
            continue; // i386 only
        }
        const int met = under_filter([number] {
            constexpr long kBad = -1;
            return errno_of(::syscall(number, kBad, kBad, kBad, kBad, kBad, kBad));
        });
        EXPECT_EQ(met, call.error_number) << call.name << ": " << call.reason;
        ++denied;
    }
    EXPECT_GT(denied, denied_calls().size() / 2) << "most are of this architecture";
    EXPECT_GT(denied, 20U);
}

TEST(SeccompProfile, AnswersUnknownCallsLikeAnOldKernel) {
    EXPECT_EQ(under_filter([] { return errno_of(::syscall(1023, 0, 0, 0)); }), ENOSYS);
    EXPECT_EQ(under_filter([] { return errno_of(::syscall(SYS_lookup_dcookie, 0, 0, 0)); }),
              ENOSYS);
}

TEST(SeccompProfile, AllowsTheSocketFamiliesOfItsListOnly) {
    const auto open_family = [](int family) {
        return under_filter([family] { return errno_of(::socket(family, SOCK_DGRAM, 0)); });
    };
    EXPECT_EQ(open_family(AF_UNIX), 0);
    EXPECT_EQ(open_family(AF_INET), 0);
    for (const int family :
         {AF_ALG, AF_VSOCK, AF_KEY, AF_TIPC, AF_RDS, AF_BLUETOOTH, AF_CAN, AF_XDP, 200}) {
        EXPECT_EQ(open_family(family), EAFNOSUPPORT) << family;
    }
}

TEST(SeccompProfile, MakesPairsOfUnixSocketsOnly) {
    const auto make_pair = [](int family) {
        return under_filter([family] {
            std::array<int, 2> ends{};
            return errno_of(::socketpair(family, SOCK_SEQPACKET, 0, ends.data()));
        });
    };
    EXPECT_EQ(make_pair(AF_UNIX), 0);
    for (const int family : {AF_TIPC, AF_ALG, AF_VSOCK, AF_RDS, AF_INET}) {
        EXPECT_EQ(make_pair(family), EAFNOSUPPORT) << family;
    }
}

TEST(SeccompProfile, AllowsHarmlessPersonalitiesOnly) {
    EXPECT_EQ(under_filter([] { return errno_of(::personality(0xffffffff)); }), 0);
    EXPECT_EQ(under_filter([] { return errno_of(::personality(ADDR_NO_RANDOMIZE)); }), 0);
    EXPECT_EQ(under_filter([] { return errno_of(::personality(READ_IMPLIES_EXEC)); }), ENOSYS);
    EXPECT_EQ(under_filter([] { return errno_of(::personality(MMAP_PAGE_ZERO)); }), ENOSYS);
}

TEST(SeccompProfile, AnswersX32LikeAKernelWithoutIt) {
    constexpr long kX32Getpid = 0x40000000L + 39;
    EXPECT_EQ(under_filter([] { return errno_of(::syscall(kX32Getpid)); }), ENOSYS);
}

#ifdef __x86_64__
// As a 32-bit program calls the kernel; a negated errno. Pointers must be below 4 GiB.
long call_i386(long number, long first, long second, long third, long fourth = 0) {
    long result = 0;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

// Of arch/x86/entry/syscalls/syscall_32.tbl.
constexpr long kSocketcall32 = 102;
constexpr long kSocket32 = 359;
constexpr long kSocketPair32 = 360;

void* low_page() {
    return ::mmap(
        nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
}

TEST(SeccompProfile, JudgesSocketsOf32BitProgramsAlike) {
    REQUIRES("ia32");
    const auto met = [](long number, int family) {
        return under_filter([number, family] {
            const long result =
                call_i386(number, family, SOCK_DGRAM, 0, reinterpret_cast<long>(low_page()));
            return result < 0 ? static_cast<int>(-result) : 0;
        });
    };
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
        EXPECT_EQ(met(kSocket32, family), 0) << family;
    }
    for (const int family :
         {AF_UNSPEC, AF_ALG, AF_VSOCK, AF_KEY, AF_TIPC, AF_RDS, AF_CAN, AF_XDP, 200, -1}) {
        EXPECT_EQ(met(kSocket32, family), EAFNOSUPPORT) << family;
    }
    EXPECT_EQ(met(kSocketPair32, AF_UNIX), 0);
    for (const int family : {AF_TIPC, AF_ALG, AF_INET, -1}) {
        EXPECT_EQ(met(kSocketPair32, family), EAFNOSUPPORT) << family;
    }
}

// It hides the family behind a pointer; what works on a socket that is there has none to hide.
TEST(SeccompProfile, LetsSocketcallMakeNothing) {
    REQUIRES("ia32");
    const auto met = [](long call) {
        return under_filter([call] {
            auto* arguments = static_cast<std::uint32_t*>(low_page());
            arguments[0] = AF_INET;
            arguments[1] = SOCK_DGRAM;
            const long result =
                call_i386(kSocketcall32, call, reinterpret_cast<long>(arguments), 0);
            return result < 0 ? static_cast<int>(-result) : 0;
        });
    };
    EXPECT_EQ(met(SYS_SOCKET), ENOSYS);
    EXPECT_EQ(met(SYS_SOCKETPAIR), ENOSYS);
    EXPECT_EQ(met(SYS_LISTEN), ENOTSOCK) << "standard error, of which nobody asked";
}
#endif

TEST(SeccompProfile, LeavesTheCallsThatAnInitNeeds) {
    EXPECT_EQ(under_filter([] { return errno_of(::unshare(CLONE_FS)); }), 0);
    EXPECT_EQ(under_filter([] {
                  return errno_of(::syscall(SYS_kcmp, ::getpid(), ::getpid(), KCMP_FS, 0, 0));
              }),
              0);
    EXPECT_EQ(under_filter([] {
                  return errno_of(::syscall(SYS_mount, nullptr, nullptr, nullptr, 0, nullptr));
              }),
              EFAULT);
}

} // namespace
} // namespace lodge::daemon
