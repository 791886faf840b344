#include "lib/kernel/fs.hpp"
#include "lib/kernel/privileges.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/session_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/// What a container sees and cannot do. The tenant is root inside, and hostile.
namespace lodge::daemon {
namespace {

using test::GuestContainer;
using test::run_guest;

std::set<std::string> lines_of(const std::string& text) {
    std::set<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.insert(line);
    }
    return lines;
}

std::string status_field(const std::string& status, const std::string& name) {
    const std::size_t at = status.find(name + ":\t");
    if (at == std::string::npos) {
        return {};
    }
    const std::size_t from = at + name.size() + 2;
    return status.substr(from, status.find('\n', from) - from);
}

class ContainerTest : public test::LeakChecked {
  protected:
    void SetUp() override {
        REQUIRES("root");
        REQUIRES("cgroup2");
        LeakChecked::SetUp();
        guest_ = std::make_unique<GuestContainer>();
        const Status prepared = guest_->prepare();
        ASSERT_TRUE(prepared) << prepared.error().to_string();
    }
    void TearDown() override {
        if (guest_) {
            guest_.reset();
            LeakChecked::TearDown();
        }
    }
    void start() {
        const Status started = guest_->start();
        ASSERT_TRUE(started) << started.error().to_string();
        const Status up = guest_->await_up();
        ASSERT_TRUE(up) << up.error().to_string();
        const auto status = guest_->monitor().status();
        ASSERT_TRUE(status) << status.error().to_string();
        pid_ = status->init.pid;
    }
    /// Runs the guest program as the container's root.
    test::SessionResult run(std::vector<std::string> arguments) {
        auto result = run_guest(guest_->monitor(), std::move(arguments));
        EXPECT_TRUE(result) << result.error().to_string();
        return result ? *result : test::SessionResult{};
    }
    /// A file of init's in the host's /proc: what the host sees.
    std::string proc(const std::string& file) const {
        return kernel::read_file("/proc/" + std::to_string(pid_) + "/" + file, 1 << 20)
            .value_or("unreadable");
    }
    std::string proc_link(const std::string& file) const {
        std::array<char, 256> target{};
        const std::string path = "/proc/" + std::to_string(pid_) + "/" + file;
        return ::readlink(path.c_str(), target.data(), target.size() - 1) > 0 ? target.data() : "";
    }
    std::unique_ptr<GuestContainer> guest_;
    std::int32_t pid_ = 0;
};

TEST_F(ContainerTest, RootInsideIsNobodyOutside) {
    ASSERT_NO_FATAL_FAILURE(start());
    const std::string base = std::to_string(guest_->request.uid_base);
    const std::string ids = base + "\t" + base + "\t" + base + "\t" + base;
    EXPECT_EQ(status_field(proc("status"), "Uid"), ids);
    EXPECT_EQ(status_field(proc("status"), "Gid"), ids);
    EXPECT_EQ(status_field(proc("status"), "Groups"), " ") << "no group of the daemon's";
    std::istringstream map(proc("uid_map"));
    std::uint64_t inside = 1;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    map >> inside >> outside >> count;
    EXPECT_EQ(inside, 0U);
    EXPECT_EQ(outside, guest_->request.uid_base);
    EXPECT_EQ(count, 65536U);
    EXPECT_EQ(run({"id"}).output, "0 0 0\n");
}

TEST_F(ContainerTest, SharesNoNamespaceWithTheHostButTime) {
    ASSERT_NO_FATAL_FAILURE(start());
    for (const char* kind : {"user", "mnt", "pid", "uts", "ipc", "net", "cgroup"}) {
        const std::string link = std::string("ns/") + kind;
        std::array<char, 64> ours{};
        ASSERT_GT(::readlink(("/proc/self/" + link).c_str(), ours.data(), ours.size() - 1), 0);
        EXPECT_NE(proc_link(link), "") << kind;
        EXPECT_NE(proc_link(link), ours.data()) << kind;
    }
}

TEST_F(ContainerTest, SeesNoMountOfTheHost) {
    ASSERT_NO_FATAL_FAILURE(start());
    const std::set<std::string> kExpected{
        "overlay", "proc", "sysfs", "cgroup2", "tmpfs", "devpts", "mqueue"};
    const auto mounts = kernel::parse_mountinfo(proc("mountinfo"));
    ASSERT_TRUE(mounts);
    EXPECT_GT(mounts->size(), 8U);
    for (const kernel::MountInfo& mount : *mounts) {
        EXPECT_TRUE(kExpected.contains(mount.type)) << mount.mount_point << " " << mount.type;
    }
    EXPECT_EQ(run({"list", "/"}).output.find("lower"), std::string::npos);
}

TEST_F(ContainerTest, TheMonitorItselfHoldsNoMountAndAlmostNoPrivilege) {
    ASSERT_NO_FATAL_FAILURE(start());
    const std::string monitor = "/proc/" + status_field(proc("status"), "PPid") + "/";
    const auto mounts =
        kernel::parse_mountinfo(kernel::read_file(monitor + "mountinfo", 65536).value());
    ASSERT_TRUE(mounts);
    ASSERT_EQ(mounts->size(), 1U);
    EXPECT_EQ(mounts->front().source, "lodge-monitor");
    EXPECT_EQ(mounts->front().options.substr(0, 3), "ro,");
    const std::string status = kernel::read_file(monitor + "status", 65536).value();
    EXPECT_EQ(status_field(status, "CapEff"), "0000000000000002") << "CAP_DAC_OVERRIDE";
    EXPECT_EQ(status_field(status, "CapBnd"), "0000000000000002");
    const std::uint64_t permitted = std::stoull(status_field(status, "CapPrm"), nullptr, 16);
    const kernel::CapabilitySet own = kernel::permitted_capabilities().value();
    EXPECT_EQ(permitted, 2U | (own & kernel::capability_set(CAP_SYS_RESOURCE)))
        << "and what a session's process takes up for a moment";
}

TEST_F(ContainerTest, NobodyInsideBecomesWorthAsMuchToTheKernelAsTheDaemon) {
    REQUIRES("sys_resource"); // else this process, and with it the monitor, cannot be protected
    const auto protect = [](const char* value) {
        const auto self = kernel::open_directory("/proc/" + std::to_string(::getpid()));
        ASSERT_TRUE(self);
        ASSERT_TRUE(kernel::write_control(self->get(), "oom_score_adj", value));
    };
    ASSERT_NO_FATAL_FAILURE(protect("-500"));
    const Status started = guest_->start();
    ASSERT_NO_FATAL_FAILURE(protect("0"));
    ASSERT_TRUE(started) << started.error().to_string();
    ASSERT_TRUE(guest_->await_up());
    for (const char* who : {"self", "1"}) {
        const std::string file = std::string("/proc/") + who + "/oom_score_adj";
        EXPECT_EQ(run({"cat", file}).output, "0\n") << who;
        EXPECT_NE(run({"write", file, "-1"}).code, 0) << who;
        EXPECT_EQ(run({"write", file, "1"}).code, 0) << "worth less he may be: " << who;
    }
}

TEST_F(ContainerTest, InitAndSessionsAreConfinedAlike) {
    ASSERT_NO_FATAL_FAILURE(start());
    const std::string init = proc("status");
    const std::string session = run({"cat", "/proc/self/status"}).output;
    for (const std::string& status : {init, session}) {
        EXPECT_EQ(status_field(status, "Seccomp"), "2");
        const std::uint64_t bounding = std::stoull(status_field(status, "CapBnd"), nullptr, 16);
        for (const unsigned capability : {16U, 17U, 25U, 27U, 34U, 33U, 32U, 38U, 39U}) {
            EXPECT_EQ(bounding >> capability & 1, 0U)
                << capability; // modules, ports, clock, nodes, ...
        }
        EXPECT_EQ(status_field(status, "NoNewPrivs"), "0") << "sudo must work";
    }
    EXPECT_EQ(status_field(init, "CapBnd"), status_field(session, "CapBnd"));
    EXPECT_EQ(run({"cat", "/proc/1/limits"}).output.substr(0, 200),
              run({"cat", "/proc/self/limits"}).output.substr(0, 200));
}

TEST_F(ContainerTest, HasOnlyHarmlessDevicesAndCanMakeNone) {
    ASSERT_NO_FATAL_FAILURE(start());
    const std::set<std::string> kExpected{".",
                                          "..",
                                          "null",
                                          "zero",
                                          "full",
                                          "random",
                                          "urandom",
                                          "tty",
                                          "fuse",
                                          "net",
                                          "console",
                                          "pts",
                                          "shm",
                                          "mqueue",
                                          "fd",
                                          "stdin",
                                          "stdout",
                                          "stderr",
                                          "ptmx"};
    EXPECT_EQ(lines_of(run({"list", "/dev"}).output), kExpected);
    EXPECT_EQ(run({"write", "/dev/null", "x"}).code, 0) << "nodes work";
    EXPECT_NE(run({"mknod", "/dev/mine"}).code, 0);
    EXPECT_NE(run({"mknod", "/root/mine"}).code, 0);
}

// Templates hold no device nodes, and the control group's device program would refuse them. This is
// the third wall: a node that is there all the same does not open, and the tenant cannot change
// that.
TEST_F(ContainerTest, ADeviceNodeInTheRootDoesNotOpen) {
    ASSERT_EQ(::mknodat(guest_->lower.get(), "home/zero", S_IFCHR | 0666, makedev(1, 5)), 0);
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_NE(run({"write", "/home/zero", "x"}).code, 0);
    EXPECT_NE(run({"remount-plain", "/"}).code, 0) << "nodev is locked";
    EXPECT_EQ(run({"mkdir", "/mnt/again"}).code, 0);
    EXPECT_NE(run({"write", "/home/zero", "x"}).code, 0);
}

TEST_F(ContainerTest, CannotWriteTheHostsKernelSettingsWhateverItUnmounts) {
    ASSERT_NO_FATAL_FAILURE(start());
    // Refused, and not for want of the file where the host's kernel has it.
    const auto expect_refused = [&](const std::string& path, const std::string& on_host) {
        const test::SessionResult result = run({"write", path, "1"});
        EXPECT_NE(result.code, 0) << path;
        if (::access(on_host.c_str(), F_OK) == 0) {
            EXPECT_THAT(result.error_output,
                        ::testing::ContainsRegex("denied|not permitted|[Rr]ead-only"))
                << path;
        }
    };
    // The write protection is for programs' sake and a tenant can take it off; the wall is behind
    // it.
    EXPECT_EQ(run({"unmount", "/proc/sys"}).code, 0);
    EXPECT_EQ(run({"mkdir", "/mnt/proc"}).code, 0);
    EXPECT_EQ(run({"mount", "proc", "/mnt/proc", "proc"}).code, 0);
    const std::string before = kernel::read_file("/proc/sys/kernel/core_pattern", 4096).value();
    for (const char* root : {"/proc", "/mnt/proc"}) {
        for (const char* file : {"/sys/kernel/core_pattern",
                                 "/sys/kernel/panic",
                                 "/sys/vm/drop_caches",
                                 "/sys/kernel/modprobe",
                                 "/sysrq-trigger"}) {
            expect_refused(std::string(root) + file, std::string("/proc") + file);
        }
        EXPECT_EQ(run({"cat", std::string(root) + "/kcore"}).output, "");
        EXPECT_EQ(run({"cat", std::string(root) + "/kmsg"}).output, "");
    }
    EXPECT_EQ(kernel::read_file("/proc/sys/kernel/core_pattern", 4096).value(), before);
    expect_refused("/sys/kernel/mm/ksm/run", "/sys/kernel/mm/ksm/run");
    EXPECT_EQ(run({"mount", "sysfs", "/mnt", "sysfs"}).code, 0);
    expect_refused("/mnt/kernel/uevent_helper", "/sys/kernel/uevent_helper");
}

TEST_F(ContainerTest, SeesItsOwnProcessesOnly) {
    ASSERT_NO_FATAL_FAILURE(start());
    std::set<std::string> processes;
    for (const std::string& name : lines_of(run({"list", "/proc"}).output)) {
        if (name.find_first_not_of("0123456789") == std::string::npos) {
            processes.insert(name);
        }
    }
    EXPECT_TRUE(processes.contains("1"));
    EXPECT_EQ(processes.size(), 2U) << "init and the command itself";
}

// What the kernel counts by user (namespaces, inotify watches, queued signals) is counted against
// the owner of the user namespace too: none shares one with another, or with the host's root.
TEST_F(ContainerTest, IsCountedByItself) {
    const std::string before = kernel::read_file("/proc/self/oom_score_adj", 16).value();
    const Status lowered = kernel::write_control(AT_FDCWD, "/proc/self/oom_score_adj", "-500");
    EXPECT_TRUE(lowered || !test::everything_is_required()) << "it needs CAP_SYS_RESOURCE";
    start();
    EXPECT_TRUE(kernel::write_control(AT_FDCWD, "/proc/self/oom_score_adj", before));
    ASSERT_FALSE(HasFatalFailure());
    const auto space = kernel::open_file("/proc/" + std::to_string(pid_) + "/ns/user", O_RDONLY);
    ASSERT_TRUE(space);
    uid_t owner = 0;
    ASSERT_EQ(::ioctl(space->get(), NS_GET_OWNER_UID, &owner), 0);
    EXPECT_EQ(owner, guest_->request.uid_base);
    EXPECT_EQ(proc("oom_score_adj"), "0\n") << "whatever protects the daemon";
}

TEST_F(ContainerTest, LeavesTheHostsNameAlone) {
    std::array<char, 256> before{};
    ASSERT_EQ(::gethostname(before.data(), before.size()), 0);
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(run({"hostname", "intruder"}).code, 0);
    std::array<char, 256> after{};
    ASSERT_EQ(::gethostname(after.data(), after.size()), 0);
    EXPECT_STREQ(before.data(), after.data());
}

TEST_F(ContainerTest, SeesItsControlGroupAsTheRootAndNothingAbove) {
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_NE(run({"cat", "/proc/1/cgroup"}).output.find("0::/\n"), std::string::npos);
    EXPECT_NE(run({"cat", "/proc/self/cgroup"}).output.find("0::/.lodge\n"), std::string::npos);
    EXPECT_EQ(run({"mkdir", "/sys/fs/cgroup/own"}).code, 0) << "delegated";
    // Owned by the host: the limits of the container itself.
    EXPECT_NE(run({"write", "/sys/fs/cgroup/cgroup.max.descendants", "5"}).code, 0);
    EXPECT_NE(run({"write", "/sys/fs/cgroup/cgroup.max.depth", "max"}).code, 0);
    EXPECT_NE(run({"write", "/sys/fs/cgroup/cgroup.freeze", "1"}).code, 0);
}

TEST_F(ContainerTest, InitAndSessionsInheritNoDescriptor) {
    ASSERT_NO_FATAL_FAILURE(start());
    // Its own signalfd comes after the three.
    const std::set<std::string> kInit{".", "..", "0", "1", "2", "3"};
    EXPECT_EQ(lines_of(run({"list", "/proc/1/fd"}).output), kInit);
    EXPECT_EQ(proc_link("fd/3"), "anon_inode:[signalfd]");
    const std::set<std::string> kSession{".", "..", "0", "1", "2", "3"}; // 3: the listing itself
    EXPECT_EQ(lines_of(run({"list", "/proc/self/fd"}).output), kSession);
}

// The class of CVE-2024-21626: a working directory by way of a descriptor of the runtime's.
TEST_F(ContainerTest, NoWorkingDirectoryLeadsOut) {
    ASSERT_NO_FATAL_FAILURE(start());
    ExecRequest request;
    request.argv = {"/bin/guest", "list", "."};
    for (int fd = 0; fd < 12; ++fd) {
        request.directory = "/proc/self/fd/" + std::to_string(fd);
        const auto result = test::run_in(guest_->monitor(), request);
        ASSERT_TRUE(result);
        EXPECT_EQ(result->code, 126) << request.directory << " " << result->output;
    }
    EXPECT_EQ(run({"link", "/proc/self/fd/4", "/home/exit"}).code, 0);
    request.directory = "/home/exit";
    EXPECT_EQ(test::run_in(guest_->monitor(), request)->code, 126);
    request.directory = "/../../../..";
    request.argv = {"/bin/guest", "stat", "sbin/init"};
    EXPECT_EQ(test::run_in(guest_->monitor(), request)->code, 0) << "the container's own root";
}

// The classes of CVE-2016-9962 and CVE-2019-5736: sessions that are entered while a tenant looks
// for what they bring along, and that are made to execute the runtime itself.
TEST_F(ContainerTest, NothingOfTheHostIsReachableThroughASessionOnItsWayIn) {
    ASSERT_TRUE(test::put_file(guest_->lower.get(), "bin/self", "#!/proc/self/exe\n"));
    ASSERT_EQ(::fchmodat(guest_->lower.get(), "bin/self", 0755, 0), 0);
    ASSERT_NO_FATAL_FAILURE(start());
    constexpr unsigned kSessions = 24;
    const auto span =
        std::chrono::ceil<std::chrono::seconds>(test::patience(std::chrono::seconds(2)));
    test::SessionResult prowler;
    std::thread looking([&] { prowler = run({"prowl", std::to_string(span.count())}); });
    const Deadline end = Deadline::after(span - std::chrono::milliseconds(200));
    unsigned sessions = 0;
    while (!end.expired() && sessions < 10 * kSessions) {
        ExecRequest request;
        request.argv = {sessions % 2 == 0 ? "/bin/self" : "/bin/guest", "true"};
        const auto result = test::run_in(guest_->monitor(), request);
        ASSERT_TRUE(result) << result.error().to_string();
        EXPECT_EQ(result->code, sessions % 2 == 0 ? 126 : 0) << result->error;
        ++sessions;
    }
    looking.join();
    EXPECT_GE(sessions, kSessions);
    EXPECT_EQ(prowler.code, 0);
    EXPECT_EQ(prowler.output, "");
}

TEST_F(ContainerTest, AHostileAccountFileHoldsNobodyUp) {
    ASSERT_EQ(::unlinkat(guest_->lower.get(), "etc/passwd", 0), 0);
    ASSERT_EQ(::mkfifoat(guest_->lower.get(), "etc/passwd", 0666), 0);
    ASSERT_NO_FATAL_FAILURE(start());
    const auto root = run_guest(guest_->monitor(), {"true"});
    ASSERT_TRUE(root) << root.error().to_string();
    EXPECT_EQ(root->code, 0) << "root needs no such file: " << root->error;
    const auto result = run_guest(guest_->monitor(), {"true"}, "somebody");
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->code, 126);
    EXPECT_NE(result->error.find("not a file"), std::string::npos) << result->error;
}

TEST_F(ContainerTest, ASymlinkedAccountFileIsReadInside) {
    ASSERT_EQ(::unlinkat(guest_->lower.get(), "etc/passwd", 0), 0);
    ASSERT_EQ(::symlinkat("/../../../home/passwd", guest_->lower.get(), "etc/passwd"), 0);
    ASSERT_TRUE(
        test::put_file(guest_->lower.get(), "home/passwd", "odd:x:77:78::/home:/bin/guest\n"));
    ASSERT_NO_FATAL_FAILURE(start());
    const auto result = run_guest(guest_->monitor(), {"id"}, "odd");
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->output, "77 78 78\n") << result->error;
}

TEST_F(ContainerTest, AForgedTerminalIsNotHandedOut) {
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(run({"unmount", "/dev/pts"}).code, 0);
    EXPECT_EQ(run({"write", "/dev/pts/ptmx", "forged"}).code, 0);
    ExecRequest request;
    request.argv = {"/bin/guest", "tty"};
    request.terminal = true;
    auto session = test::OpenSession::open(guest_->monitor(), request);
    ASSERT_TRUE(session);
    const auto refused = session->expect(session::FrameType::error);
    EXPECT_TRUE(refused) << "instead of a terminal";
    EXPECT_TRUE(session->expect(session::FrameType::exited));
}

TEST_F(ContainerTest, SessionsWorkInATreeOfGroupsThatTheTenantSpoiled) {
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(run({"true"}).code, 0);
    // Threaded: it takes no processes of another domain.
    EXPECT_EQ(run({"write", "/sys/fs/cgroup/.lodge/cgroup.type", "threaded"}).code, 1);
    ASSERT_EQ(::rmdir((guest_->group_path() + "/.lodge").c_str()), 0);
    EXPECT_EQ(run({"true"}).code, 0) << "the leaf is made again";
}

TEST_F(ContainerTest, InitCannotOutliveItsMonitor) {
    ASSERT_NO_FATAL_FAILURE(start());
    const pid_t monitor = std::stoi(status_field(proc("status"), "PPid"));
    ASSERT_GT(monitor, 1);
    ASSERT_EQ(::kill(monitor, SIGKILL), 0);
    EXPECT_TRUE(guest_->await_empty_group());
}

} // namespace
} // namespace lodge::daemon
