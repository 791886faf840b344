// Days on which the host takes something away from the daemon while containers run: each is told
// clearly, costs no running container anything, and is forgotten once the cause has gone.
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/host_state.hpp"
#include "tests/support/lodge_host.hpp"
#include "tests/support/patience.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class BadDaysTest : public LodgeTest {
  protected:
    std::string state() const { return host->directory() + "/state"; }
    // A container that runs throughout, and whose every fact must stay.
    void run_bystander() {
        const CliResult made =
            host->lodge({"create", "bystander", "--template", "tiny", "--disk", "64M", "--start"});
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
        init_ = host->field("bystander", "pid");
        begun_ = start_time();
        ASSERT_NE(begun_, "");
    }
    void expect_untouched() { EXPECT_EQ(start_time(), begun_) << "its init is another or none"; }
    void expect_full_service() {
        expect_untouched();
        EXPECT_EQ(host->field("bystander", "pid"), init_);
        EXPECT_EQ(host->lodge({"exec", "bystander", "--", "/bin/guest", "exit", "5"}).code, 5);
        const CliResult made =
            host->lodge({"create", "after", "--template", "tiny", "--disk", "64M", "--start"});
        EXPECT_EQ(made.code, 0) << made.err << host->daemon_log();
        EXPECT_EQ(host->lodge({"stop", "after", "--force"}).code, 0);
        EXPECT_EQ(host->lodge({"destroy", "after"}).code, 0);
    }
    void expect_refused(const CliResult& result, int code, const std::string& says) {
        EXPECT_EQ(result.code, code) << result.err << host->daemon_log();
        EXPECT_NE(result.err.find(says), std::string::npos) << result.err;
    }

  private:
    std::string start_time() const { // field 22, behind the name that may hold blanks
        const auto stat = kernel::read_file("/proc/" + init_ + "/stat", 4096);
        std::size_t at = stat ? stat->rfind(')') : std::string::npos;
        for (int field = 2; field < 21 && at != std::string::npos; ++field) {
            at = stat->find(' ', at + 1);
        }
        return at == std::string::npos ? "" : stat->substr(at, stat->find(' ', at + 1) - at);
    }
    std::string init_;
    std::string begun_;
};

TEST_F(BadDaysTest, ACorruptDatabaseIsNamedAndBuiltAnew) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    host->stop_daemon();
    const std::string path = state() + "/lodge.db";
    {
        const auto file = kernel::open_file(path, O_RDWR);
        ASSERT_TRUE(file);
        const std::string rubbish(4096 - 200, '\xa5'); // a page's cells, its header left as it is
        for (off_t page = 1; page < 6; ++page) {
            ASSERT_GT(::pwrite(file->get(), rubbish.data(), rubbish.size(), page * 4096 + 100), 0);
        }
    }
    const CliResult refused = host->run_daemon();
    expect_refused(refused, 1, path);
    EXPECT_NE(refused.err.find("lodge recover"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find(state() + "/backups"), std::string::npos) << refused.err;
    expect_untouched();
    fs::rename(path, state() + "/damaged.db");
    const CliResult recovered = host->lodge({"recover",
                                             "--config",
                                             host->directory() + "/lodge.yaml",
                                             "--state-dir",
                                             state(),
                                             "--run-dir",
                                             host->directory() + "/run"});
    ASSERT_EQ(recovered.code, 0) << recovered.err;
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_full_service();
}

TEST_F(BadDaysTest, ADatabaseOfANewerReleaseIsLeftToIt) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    host->stop_daemon();
    const std::string path = state() + "/lodge.db";
    constexpr off_t kUserVersion = 60; // sqlite.org/fileformat.html, the database header
    const std::array<unsigned char, 4> future{0, 0, 3, 231};
    std::array<unsigned char, 4> now{};
    std::array<unsigned char, 4> after{};
    const auto file = kernel::open_file(path, O_RDWR);
    ASSERT_TRUE(file);
    ASSERT_EQ(::pread(file->get(), now.data(), now.size(), kUserVersion), 4);
    ASSERT_EQ(::pwrite(file->get(), future.data(), future.size(), kUserVersion), 4);
    const CliResult refused = host->run_daemon();
    expect_refused(refused, 1, path);
    EXPECT_NE(refused.err.find("newer"), std::string::npos) << refused.err;
    expect_untouched();
    ASSERT_EQ(::pread(file->get(), after.data(), after.size(), kUserVersion), 4);
    EXPECT_EQ(after, future) << "it was touched";
    ASSERT_EQ(::pwrite(file->get(), now.data(), now.size(), kUserVersion), 4);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_full_service();
}

TEST_F(BadDaysTest, ASecondDaemonIsRefusedAndTheFirstGoesOn) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    const CliResult second = host->run_daemon(); // the same in all, its socket too
    expect_refused(second, 1, "another lodged already works on '" + state() + "'");
    expect_full_service();
}

TEST_F(BadDaysTest, ADailyCopyTakesTheDatabasesPlace) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    host->stop_daemon(); // and with it a copy on its way has ended
    fs::remove_all(state() + "/backups");
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    const Deadline deadline = Deadline::after(patience(10s));
    std::string copy;
    while (copy.empty()) {
        ASSERT_FALSE(deadline.expired()) << host->daemon_log();
        if (fs::exists(state() + "/backups")) {
            for (const auto& entry : fs::directory_iterator(state() + "/backups")) {
                if (entry.path().extension() == ".db") { // another is one on its way
                    copy = entry.path();
                }
            }
        }
    }
    host->stop_daemon();
    for (const char* suffix : {"", "-wal", "-shm"}) {
        fs::remove(state() + "/lodge.db" + suffix);
    }
    fs::copy(copy, state() + "/lodge.db");
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_full_service();
}

TEST_F(BadDaysTest, AStateDirectoryMayBecomeReadOnly) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    const auto protect = [&] {
        ASSERT_EQ(::mount(state().c_str(), state().c_str(), nullptr, MS_BIND, nullptr), 0);
        ASSERT_EQ(
            ::mount(nullptr, state().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr),
            0);
    };
    ASSERT_NO_FATAL_FAILURE(protect());
    const CliResult made = host->lodge({"create", "after", "--template", "tiny"});
    expect_refused(made, 15, "Read-only file system");
    EXPECT_EQ(host->lodge({"exec", "bystander", "--", "/bin/guest", "exit", "5"}).code, 5);
    host->stop_daemon();
    expect_refused(host->run_daemon(), 1, state());
    ASSERT_EQ(::umount2(state().c_str(), MNT_DETACH), 0);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_full_service();
}

TEST_F(BadDaysTest, TheDaemonMayRunOutOfDescriptors) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    const fs::directory_iterator open("/proc/" + std::to_string(host->daemon_pid()) + "/fd");
    const auto used = static_cast<rlim_t>(std::distance(begin(open), end(open)));
    rlimit before{};
    const auto limit = static_cast<__rlimit_resource>(RLIMIT_NOFILE);
    ASSERT_EQ(::prlimit(host->daemon_pid(), limit, nullptr, &before), 0);
    // Enough for the request, not for what it asks.
    const rlimit few{.rlim_cur = used + 3, .rlim_max = before.rlim_max};
    ASSERT_EQ(::prlimit(host->daemon_pid(), limit, &few, nullptr), 0);
    const CliResult made =
        host->lodge({"create", "after", "--template", "tiny", "--disk", "64M", "--start"});
    ASSERT_EQ(::prlimit(host->daemon_pid(), limit, &before, nullptr), 0);
    EXPECT_NE(made.code, 0);
    EXPECT_NE(made.err.find("open files"), std::string::npos) << made.err << host->daemon_log();
    EXPECT_EQ(host->field("after", "state"), "");
    expect_full_service();
    // What could not be undone without a descriptor goes at the next start.
    host->stop_daemon();
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_untouched();
}

TEST_F(BadDaysTest, TheMonitorsProgramMayBeMissing) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    const char* const program = LODGE_BIN_DIR "/lodge-monitor";
    // In this test's own mount namespace, which the daemon shares: not executable.
    ASSERT_EQ(::mount("/dev/null", program, nullptr, MS_BIND, nullptr), 0);
    const CliResult made = host->lodge({"create", "after", "--template", "tiny", "--start"});
    const CliResult inside = host->lodge({"exec", "bystander", "--", "/bin/guest", "exit", "5"});
    host->stop_daemon();
    const CliResult refused = host->run_daemon();
    ASSERT_EQ(::umount2(program, MNT_DETACH), 0);
    EXPECT_NE(made.code, 0);
    EXPECT_NE(made.err.find(program), std::string::npos) << made.err;
    EXPECT_EQ(inside.code, 5) << inside.err;
    expect_refused(refused, 1, program);
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    EXPECT_EQ(host->field("after", "state"), "") << "undone";
    expect_full_service();
}

TEST_F(BadDaysTest, TheDaemonMaySleep) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    ASSERT_EQ(host->lodge({"create", "other", "--template", "tiny", "--start"}).code, 0);
    ASSERT_EQ(::kill(host->daemon_pid(), SIGSTOP), 0);
    siginfo_t stopped{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(host->daemon_pid()), &stopped, WSTOPPED), 0);
    const pid_t client = host->lodge_in_background({"stop", "other", "--force"});
    expect_untouched();
    ASSERT_EQ(::kill(host->daemon_pid(), SIGCONT), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(client, &status, 0), client);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_EQ(host->field("other", "state"), "stopped");
    expect_full_service();
}

TEST_F(BadDaysTest, TheHostMayRunOutOfLoopDevices) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    ASSERT_EQ(host->lodge({"create", "other", "--template", "tiny", "--disk", "64M"}).code, 0);
    const char* control = "/dev/loop-control";
    ASSERT_EQ(::mount("/dev/null", control, nullptr, MS_BIND, nullptr), 0); // it has none to give
    expect_refused(host->lodge({"start", "other"}), 15, "get a free loop device");
    expect_refused(host->lodge({"create", "third", "--template", "tiny", "--disk", "64M"}),
                   15,
                   "get a free loop device");
    EXPECT_EQ(host->field("other", "state"), "stopped");
    EXPECT_EQ(host->lodge({"info", "third"}).code, 3) << "nothing of it stays";
    expect_untouched();
    ASSERT_EQ(::umount(control), 0);
    EXPECT_EQ(host->lodge({"start", "other"}).code, 0) << host->daemon_log();
    expect_full_service();
}

/// No more processes in the daemon's group: its own of cgroup v2, or one made of v1.
class FewProcesses {
  public:
    explicit FewProcesses(pid_t daemon) : daemon_(daemon) {
        std::string own =
            kernel::read_file("/proc/" + std::to_string(daemon) + "/cgroup", 65536).value_or("");
        own = own.substr(own.find("0::") + 3);
        own = own.substr(0, own.find('\n'));
        group_ = cgroup2_mount() + own;
        if (!fs::exists(group_ + "/pids.max")) {
            group_ = std::string(kPids) + "/lodge-test-" + std::to_string(::getpid()) + "-few";
            made_ = fs::create_directory(group_);
            write(group_, "cgroup.procs", std::to_string(daemon));
        }
        std::string now = kernel::read_file(group_ + "/pids.current", 64).value_or("0");
        std::erase(now, '\n');
        write(group_, "pids.max", now);
    }
    ~FewProcesses() {
        write(group_, "pids.max", "max");
        if (made_) {
            write(kPids, "cgroup.procs", std::to_string(daemon_));
            EXPECT_EQ(::rmdir(group_.c_str()), 0) << group_;
        }
    }
    FewProcesses(const FewProcesses&) = delete;
    FewProcesses& operator=(const FewProcesses&) = delete;

  private:
    static constexpr const char* kPids = "/sys/fs/cgroup/pids";
    static void write(const std::string& group, const char* file, const std::string& value) {
        const auto place = kernel::open_directory(group);
        ASSERT_TRUE(place) << group;
        EXPECT_TRUE(kernel::write_control(place->get(), file, value)) << group << file;
    }
    static std::string cgroup2_mount() {
        const auto mounts = kernel::read_mountinfo().value();
        for (const kernel::MountInfo& mount : mounts) {
            if (mount.type == "cgroup2") {
                return mount.mount_point;
            }
        }
        return "";
    }
    pid_t daemon_;
    std::string group_;
    bool made_ = false;
};

TEST_F(BadDaysTest, TheHostMayRunOutOfProcesses) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    ASSERT_EQ(host->lodge({"create", "other", "--template", "tiny", "--disk", "64M"}).code, 0);
    {
        const FewProcesses few(host->daemon_pid());
        const CliResult started = host->lodge({"start", "other"});
        EXPECT_NE(started.code, 0);
        EXPECT_NE(started.err.find("Resource temporarily unavailable"), std::string::npos)
            << started.err << host->daemon_log();
    }
    EXPECT_EQ(host->lodge({"start", "other"}).code, 0) << host->daemon_log();
    expect_full_service();
}

// Whose first file would otherwise be taken for the standard output of all.
TEST_F(BadDaysTest, TheDaemonMayHaveNoStandardStreams) {
    const auto expect_streams_of = [](pid_t process) {
        for (const char* stream : {"0", "1", "2"}) {
            std::error_code error;
            const fs::path file = "/proc/" + std::to_string(process) + "/fd/" + stream;
            EXPECT_EQ(fs::read_symlink(file, error), "/dev/null") << file << error.message();
        }
    };
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    host->stop_daemon();
    host->close_streams_of_daemons();
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    expect_streams_of(host->daemon_pid());
    const CliResult imported =
        host->lodge({"template", "import", "other", host->directory() + "/tiny.tar"});
    EXPECT_EQ(imported.code, 0) << imported.err;
    ASSERT_EQ(
        host->lodge({"create", "other", "--template", "other", "--disk", "64M", "--start"}).code,
        0);
    expect_streams_of(parent_of(init_of(*host, "other").pid)); // its monitor
    ASSERT_EQ(host->lodge({"destroy", "other", "--force"}).code, 0);
    expect_full_service();
}

/// The state directory on a small filesystem of its own.
class FullDayTest : public BadDaysTest {
  protected:
    void prepare_host() override {
        const std::string image = host->directory() + "/small.img";
        fs::create_directory(state());
        for (const auto& [program, arguments] :
             {std::pair<std::string, std::vector<std::string>>{"truncate", {"-s", "256M", image}},
              {"mke2fs", {"-q", "-t", "ext4", "-m", "0", image}},
              {"mount", {"-o", "loop", image, state()}}}) { // ~LodgeHost unmounts
            ASSERT_TRUE(kernel::run_program({.path = program,
                                             .arguments = arguments,
                                             .deadline = Deadline::after(patience(30s))}));
        }
    }
    std::size_t times_in_log(const std::string& text) const {
        const std::string log = host->daemon_log();
        std::size_t count = 0;
        for (std::size_t at = log.find(text); at != std::string::npos;
             at = log.find(text, at + 1)) {
            ++count;
        }
        return count;
    }
    // To the last block.
    void fill() {
        const auto file = kernel::open_file(state() + "/filler", O_WRONLY | O_CREAT, 0600);
        ASSERT_TRUE(file);
        for (const std::size_t size : {std::size_t{1} << 20, std::size_t{4096}}) {
            const std::string zeros(size, '\0');
            while (::write(file->get(), zeros.data(), size) > 0) {
            }
            ASSERT_EQ(errno, ENOSPC);
        }
        ASSERT_EQ(::fsync(file->get()), 0);
    }
};

// A start that nobody asked for stays due, without being tried all the time.
TEST_F(FullDayTest, ARestartWaitsForRoom) {
    ASSERT_EQ(host->lodge({"create", "rested", "--template", "tiny", "--disk", "64M"}).code, 0);
    const CliResult made = host->lodge({"create",
                                        "other",
                                        "--template",
                                        "tiny",
                                        "--disk",
                                        "64M",
                                        "--restart",
                                        "always",
                                        "--restart-backoff",
                                        "6s",
                                        "--start"});
    ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    ASSERT_EQ(host->lodge({"kill", "other"}).code, 0);
    expect_field("other", "start_planned", "true");
    ASSERT_NO_FATAL_FAILURE(fill());
    CliResult refused;
    for (int order = 1; order < 100 && refused.code != 9; ++order) {
        refused = host->lodge({"set", "rested", "--bootorder", std::to_string(order)});
    }
    expect_refused(refused, 9, state() + "/lodge.db");
    ASSERT_EQ(host->field("other", "start_planned"), "true") << "filled too slowly";
    const std::string tried = "start 'other': ";
    const Deadline deadline = Deadline::after(patience(10s));
    while (host->daemon_log().find(tried) == std::string::npos) {
        ASSERT_FALSE(deadline.expired()) << host->daemon_log();
        ASSERT_NO_FATAL_FAILURE(fill()); // the room, too, that a shorter log of the database left
        (void)::poll(nullptr, 0, 20);
    }
    (void)::poll(nullptr, 0, 2000);
    EXPECT_LE(times_in_log(tried), 5U) << host->daemon_log();
    EXPECT_EQ(times_in_log("'other' restarting"), 1U) << "an event, which evicts others";
    fs::remove(state() + "/filler");
    expect_field("other", "state", "running");
}

TEST_F(FullDayTest, TheDatabaseMayFindNoRoom) {
    ASSERT_NO_FATAL_FAILURE(run_bystander());
    ASSERT_EQ(
        host->lodge({"create", "other", "--template", "tiny", "--disk", "64M", "--start"}).code, 0);
    host->stop_daemon(); // its log of the database goes, and has to grow again
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    ASSERT_NO_FATAL_FAILURE(fill());
    CliResult refused;
    for (int verb = 0; verb < 40 && refused.code != 9; ++verb) {
        refused = host->lodge(verb % 2 == 0 ? std::vector<std::string>{"stop", "other", "--force"}
                                            : std::vector<std::string>{"start", "other"});
        EXPECT_TRUE(refused.code == 0 || refused.code == 9 || refused.code == 5) << refused.err;
    }
    expect_refused(refused, 9, state() + "/lodge.db");
    expect_untouched();
    EXPECT_EQ(host->lodge({"exec", "bystander", "--", "/bin/guest", "exit", "5"}).code, 5);
    fs::remove(state() + "/filler");
    if (host->field("other", "state") != "running") {
        const CliResult started = host->lodge({"start", "other"});
        EXPECT_EQ(started.code, 0) << started.err << host->daemon_log();
    }
    expect_full_service();
}

} // namespace

} // namespace lodge::test
