#include "lib/kernel/fs.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/session_client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::daemon {
namespace {

using test::GuestContainer;
using test::run_guest;

class MonitorTest : public test::LeakChecked {
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
    }
    std::unique_ptr<GuestContainer> guest_;
};

TEST_F(MonitorTest, StartsInitAndTellsOfAPowerOffAsAHalt) {
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_TRUE(guest_->monitor().signal_init(SIGRTMIN + 3));
    const auto exit = guest_->await_exit();
    ASSERT_TRUE(exit) << exit.error().to_string();
    EXPECT_EQ(exit->kind, InitExit::Kind::halted);
}

TEST_F(MonitorTest, TellsARebootInsideFromAHalt) {
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_TRUE(guest_->monitor().signal_init(SIGINT));
    const auto exit = guest_->await_exit();
    ASSERT_TRUE(exit) << exit.error().to_string();
    EXPECT_EQ(exit->kind, InitExit::Kind::rebooted);
}

TEST_F(MonitorTest, KeepsTheExitCodeOfInitUntilReleased) {
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_TRUE(guest_->monitor().signal_init(SIGUSR1));
    const auto exit = guest_->await_exit();
    ASSERT_TRUE(exit) << exit.error().to_string();
    EXPECT_EQ(exit->kind, InitExit::Kind::exited);
    EXPECT_EQ(exit->status, 7);
}

TEST_F(MonitorTest, TellsOfAnInitThatCrashed) {
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_TRUE(guest_->monitor().signal_init(SIGUSR2));
    const auto exit = guest_->await_exit();
    ASSERT_TRUE(exit) << exit.error().to_string();
    EXPECT_EQ(exit->kind, InitExit::Kind::signalled);
    EXPECT_EQ(exit->status, SIGSEGV);
}

TEST_F(MonitorTest, StartsAPrivateRootFromTheVolume) {
    ASSERT_TRUE(guest_->prepare(false));
    ASSERT_NO_FATAL_FAILURE(start());
    const auto result = run_guest(guest_->monitor(), {"stat", "/etc/passwd"});
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->output, "0 0 100644\n") << result->error_output << result->error;
}

TEST_F(MonitorTest, SaysWhyAnInitCannotBeExecuted) {
    guest_->request.init = {"/sbin/missing"};
    const Status started = guest_->start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().sys_errno(), ENOENT);
    EXPECT_NE(started.error().to_string().find("/sbin/missing"), std::string::npos)
        << started.error().to_string();
    EXPECT_TRUE(guest_->await_empty_group());
}

TEST_F(MonitorTest, SaysWhyARootCannotBeMounted) {
    ASSERT_EQ(::unlinkat(guest_->volume.get(), "data/work", AT_REMOVEDIR), 0);
    auto starting = guest_->begin();
    ASSERT_TRUE(starting) << starting.error().to_string();
    const auto monitor = (*starting)->finish();
    ASSERT_FALSE(monitor);
    EXPECT_NE(monitor.error().to_string().find("join volume and template"), std::string::npos)
        << monitor.error().to_string();
}

TEST_F(MonitorTest, RefusesAMountPointThatTheTenantMadeASymlink) {
    ASSERT_EQ(::unlinkat(guest_->lower.get(), "proc", AT_REMOVEDIR), 0);
    ASSERT_EQ(::symlinkat("/root", guest_->lower.get(), "proc"), 0);
    const Status started = guest_->start();
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().to_string().find("/proc"), std::string::npos)
        << started.error().to_string();
}

TEST_F(MonitorTest, KillsTheCloneThatIsDroppedBeforeItsFinish) {
    auto starting = guest_->begin();
    ASSERT_TRUE(starting) << starting.error().to_string();
    EXPECT_GT((*starting)->init().pid, 0);
    EXPECT_GE(std::get<network::InNamespace>((*starting)->card_end()).fd, 0);
    starting->reset();
    EXPECT_TRUE(guest_->await_empty_group());
}

TEST_F(MonitorTest, ReturnsTheExitCodeOfACommand) {
    ASSERT_NO_FATAL_FAILURE(start());
    const auto result = run_guest(guest_->monitor(), {"exit", "7"});
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->code, 7);
    EXPECT_TRUE(result->started);
    EXPECT_EQ(result->error, "");
}

TEST_F(MonitorTest, ReportsCommandsThatCannotRunAsAShellDoes) {
    ASSERT_NO_FATAL_FAILURE(start());
    ExecRequest request;
    request.argv = {"no-such-command"};
    auto result = test::run_in(guest_->monitor(), request);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->code, 127);
    EXPECT_FALSE(result->started);
    request.argv = {"/etc/passwd"};
    result = test::run_in(guest_->monitor(), request);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->code, 126);
    EXPECT_NE(result->error.find("/etc/passwd"), std::string::npos);
    result = run_guest(guest_->monitor(), {"kill-self", "9"});
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->code, 137);
}

TEST_F(MonitorTest, RunsACommandAsTheContainersOwnUser) {
    ASSERT_NO_FATAL_FAILURE(start());
    auto result = run_guest(guest_->monitor(), {"id"}, "user");
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->output, "1000 1000 5,1000,2000\n") << result->error;
    result = run_guest(guest_->monitor(), {"pwd"}, "user");
    EXPECT_EQ(result->output, "/home/user\n");
    result = run_guest(guest_->monitor(), {"id"}, "4242");
    EXPECT_EQ(result->output, "4242 4242 4242\n") << result->error;
    result = run_guest(guest_->monitor(), {"id"}, "nobody-here");
    EXPECT_EQ(result->code, 126);
    EXPECT_NE(result->error.find("no user"), std::string::npos);
}

TEST_F(MonitorTest, GivesACommandItsEnvironmentAndDirectory) {
    ASSERT_NO_FATAL_FAILURE(start());
    ExecRequest request;
    request.argv = {"guest", "env"};
    request.environment = {"HOME=/elsewhere", "COLOUR=blue"};
    auto result = test::run_in(guest_->monitor(), request);
    ASSERT_TRUE(result) << result.error().to_string();
    for (const char* line : {"HOME=/elsewhere\n",
                             "COLOUR=blue\n",
                             "USER=root\n",
                             "container=lodge\n",
                             "SHELL=/bin/guest\n"}) {
        EXPECT_NE(result->output.find(line), std::string::npos) << line << result->output;
    }
    request.argv = {"guest", "pwd"};
    request.directory = "/etc";
    result = test::run_in(guest_->monitor(), request);
    EXPECT_EQ(result->output, "/etc\n");
    request.directory = "/missing";
    result = test::run_in(guest_->monitor(), request);
    EXPECT_EQ(result->code, 126);
}

TEST_F(MonitorTest, PassesMegabytesThroughUnchanged) {
    ASSERT_NO_FATAL_FAILURE(start());
    std::string input(std::size_t{8} << 20, '\0');
    for (std::size_t i = 0; i < input.size(); ++i) {
        input[i] = static_cast<char>(i * 2654435761U >> 13);
    }
    ExecRequest request;
    request.argv = {"guest", "cat"};
    const auto result = test::run_in(guest_->monitor(), request, input);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_TRUE(result->output == input);
    EXPECT_EQ(result->code, 0);
}

TEST_F(MonitorTest, GivesASessionATerminalOfTheContainer) {
    ASSERT_NO_FATAL_FAILURE(start());
    ExecRequest request;
    request.argv = {"guest", "tty"};
    request.terminal = true;
    request.rows = 41;
    request.columns = 121;
    auto session = test::OpenSession::open(guest_->monitor(), request);
    ASSERT_TRUE(session) << session.error().to_string();
    auto terminal = session->expect(session::FrameType::terminal);
    ASSERT_TRUE(terminal) << terminal.error().to_string();
    ASSERT_EQ(terminal->fds.size(), 1U);
    winsize size{};
    EXPECT_EQ(::ioctl(terminal->fds[0].get(), TIOCGWINSZ, &size), 0);
    EXPECT_EQ(size.ws_row, 41);
    EXPECT_EQ(size.ws_col, 121);
    const auto output = test::read_until(terminal->fds[0].get(), "\n");
    ASSERT_TRUE(output) << output.error().to_string();
    EXPECT_EQ(*output, "/dev/pts/1\r\n");
    EXPECT_TRUE(session->expect(session::FrameType::started));
    EXPECT_TRUE(session->expect(session::FrameType::exited));
}

TEST_F(MonitorTest, EntersWithTheUsersLoginShell) {
    ASSERT_NO_FATAL_FAILURE(start());
    ExecRequest request;
    request.login_shell = true;
    request.user = "user";
    const auto result = test::run_in(guest_->monitor(), request);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->output, "login shell\n/home/user\n");
}

TEST_F(MonitorTest, ForwardsSignalsAndHangsUpWithTheClient) {
    ASSERT_NO_FATAL_FAILURE(start());
    ExecRequest request;
    request.argv = {"guest", "await-signal"};
    request.terminal = true;
    auto session = test::OpenSession::open(guest_->monitor(), request);
    ASSERT_TRUE(session) << session.error().to_string();
    auto terminal = session->expect(session::FrameType::terminal);
    ASSERT_TRUE(terminal) << terminal.error().to_string();
    ASSERT_TRUE(test::read_until(terminal->fds[0].get(), "ready"));
    const session::SignalPayload payload{.number = SIGTERM};
    ASSERT_TRUE(session->expect(session::FrameType::started));
    ASSERT_TRUE(session->send(session::FrameType::signal,
                              {reinterpret_cast<const char*>(&payload), sizeof payload}));
    auto exited = session->expect(session::FrameType::exited);
    ASSERT_TRUE(exited) << exited.error().to_string();
    EXPECT_EQ(static_cast<int>(exited->payload[0]), SIGTERM);
}

TEST_F(MonitorTest, HangsUpOnACommandWhoseClientWentAway) {
    ASSERT_NO_FATAL_FAILURE(start());
    ExecRequest request;
    request.argv = {"guest", "await-signal"};
    auto session = test::OpenSession::open(guest_->monitor(), request);
    ASSERT_TRUE(session) << session.error().to_string();
    std::array<int, 2> output{};
    ASSERT_EQ(::pipe2(output.data(), O_CLOEXEC), 0);
    const UniqueFd reader(output[0]);
    UniqueFd writer(output[1]);
    const std::array fds{writer.get(), writer.get(), writer.get()};
    ASSERT_TRUE(session->send(session::FrameType::stdio, {}, fds));
    writer.reset();
    ASSERT_TRUE(session->expect(session::FrameType::started));
    ASSERT_TRUE(test::read_until(reader.get(), "ready"));
    session->hang_up();
    const auto seen = test::read_until(reader.get(), "signal 1\n");
    EXPECT_TRUE(seen) << seen.error().to_string();
}

TEST_F(MonitorTest, LetsTheTenantNestContainers) {
    ASSERT_NO_FATAL_FAILURE(start());
    const auto result = run_guest(guest_->monitor(), {"nest"}, "user");
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->code, 0) << result->error_output;
}

TEST_F(MonitorTest, ShowsSystemdTheContainerInterface) {
    ASSERT_NO_FATAL_FAILURE(start());
    const std::string uuid = guest_->request.uuid.to_string();
    const auto output = [&](std::vector<std::string> command) {
        const auto result = run_guest(guest_->monitor(), std::move(command));
        return result ? result->output : result.error().to_string();
    };
    std::string environment = output({"cat", "/proc/1/environ"});
    std::replace(environment.begin(), environment.end(), '\0', '\n');
    EXPECT_NE(environment.find("container=lodge\n"), std::string::npos) << environment;
    EXPECT_NE(environment.find("container_uuid=" + uuid + "\n"), std::string::npos);
    EXPECT_EQ(output({"cat", "/run/host/container-manager"}), "lodge\n");
    EXPECT_EQ(output({"cat", "/run/host/container-uuid"}), uuid + "\n");
    EXPECT_EQ(output({"stat", "/dev/console"}), "0 5 20620\n");
    const auto mounts = kernel::parse_mountinfo(output({"cat", "/proc/1/mountinfo"}));
    ASSERT_TRUE(mounts);
    const auto mount_at = [&](const std::string& place) {
        const auto found = std::find_if(mounts->rbegin(), mounts->rend(), [&](const auto& mount) {
            return mount.mount_point == place;
        });
        return found == mounts->rend() ? std::string("none")
                                       : found->type + " " + found->options.substr(0, 2);
    };
    EXPECT_EQ(mount_at("/proc"), "proc rw");
    EXPECT_EQ(mount_at("/proc/sys"), "proc ro");
    EXPECT_EQ(mount_at("/proc/sys/net"), "proc rw");
    EXPECT_EQ(mount_at("/sys"), "sysfs ro");
    EXPECT_EQ(mount_at("/sys/fs/cgroup"), "cgroup2 rw");
    EXPECT_EQ(mount_at("/dev"), "tmpfs rw");
    EXPECT_EQ(mount_at("/dev/pts"), "devpts rw");
    EXPECT_EQ(mount_at("/dev/console"), "devpts rw");
    EXPECT_EQ(mount_at("/dev/shm"), "tmpfs rw");
    EXPECT_EQ(mount_at("/run"), "tmpfs rw");
}

TEST_F(MonitorTest, RenamesAndRemarksTemplateFilesInTheVolume) {
    ASSERT_TRUE(kernel::make_directory_at(guest_->lower.get(), "etc/tree", 0755));
    ASSERT_TRUE(test::put_file(guest_->lower.get(), "etc/tree/file", "from the template"));
    ASSERT_NO_FATAL_FAILURE(start());
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"rename", "/etc/tree", "/etc/renamed"},
          {"chown", "/etc/renamed/file", "1000"},
          {"write", "/etc/renamed/new", "x"}}) {
        const auto result = run_guest(guest_->monitor(), command);
        ASSERT_TRUE(result);
        EXPECT_EQ(result->code, 0) << result->error_output;
    }
    EXPECT_EQ(run_guest(guest_->monitor(), {"stat", "/etc/renamed/file"})->output,
              "1000 1000 100644\n");
    EXPECT_EQ(run_guest(guest_->monitor(), {"cat", "/etc/renamed/file"})->output,
              "from the template");
}

TEST_F(MonitorTest, TakesWordsUpToTheKernelsOwnLimits) {
    ASSERT_NO_FATAL_FAILURE(start());
    std::vector<std::string> most{"words"};
    most.insert(most.end(), 100'000, "a word");
    const auto all = run_guest(guest_->monitor(), most);
    ASSERT_TRUE(all) << all.error().to_string();
    EXPECT_EQ(all->output.size(), 100'000 * sizeof "a word");
    for (const auto& words : {std::vector<std::string>(250'000, "x"),
                              std::vector<std::string>{"echo", std::string(131'072, 'x')}}) {
        const auto refused = run_guest(guest_->monitor(), words);
        ASSERT_TRUE(refused) << refused.error().to_string();
        EXPECT_EQ(refused->code, session::kCannotExecute);
        EXPECT_NE(refused->error.find("128 KiB each, 2 MiB in all"), std::string::npos)
            << refused->error;
    }
}

TEST_F(MonitorTest, KeepsTheConsoleMovingWithoutAReader) {
    ASSERT_NO_FATAL_FAILURE(start());
    ExecRequest request;
    request.argv = {"/bin/guest", "flood", "/dev/console", "2000000"};
    const auto result = test::run_in(guest_->monitor(), request);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->code, 0) << result->error_output;
    const auto log = guest_->monitor().console_log();
    ASSERT_TRUE(log);
    EXPECT_EQ(log->size(), guest_->request.console_log_bytes) << "the tail, not more";
}

TEST_F(MonitorTest, KeepsTheConsolesLogAndCarriesItsInput) {
    ASSERT_NO_FATAL_FAILURE(start());
    auto sockets = test::make_stream_pair();
    ASSERT_TRUE(sockets);
    ASSERT_TRUE(guest_->monitor().console(test::give(sockets->second)));
    const auto up = test::read_until(sockets->first.get(), "guest: up");
    ASSERT_TRUE(up) << up.error().to_string();
    const std::string typed = "hello\n";
    ASSERT_TRUE(session::send_frame(
        sockets->first.get(), session::FrameType::terminal_data, std::as_bytes(std::span(typed))));
    const auto heard = test::read_until(sockets->first.get(), "guest: heard hello");
    ASSERT_TRUE(heard) << heard.error().to_string();
    const auto log = guest_->monitor().console_log();
    ASSERT_TRUE(log) << log.error().to_string();
    EXPECT_NE(log->find("guest: heard hello"), std::string::npos) << *log;
}

TEST_F(MonitorTest, ServesARestartedDaemonAndItsWitnessAgrees) {
    ASSERT_NO_FATAL_FAILURE(start());
    const auto first = guest_->monitor().status();
    ASSERT_TRUE(first) << first.error().to_string();
    const auto runtime = guest_->another_runtime();
    const auto listed = runtime->list();
    ASSERT_TRUE(listed);
    EXPECT_EQ(*listed, std::vector<Uuid>{guest_->request.uuid});
    auto monitor = runtime->connect(guest_->request.uuid);
    ASSERT_TRUE(monitor) << monitor.error().to_string();
    const auto second = (*monitor)->status();
    ASSERT_TRUE(second);
    EXPECT_EQ(first->init.pid, second->init.pid);
    EXPECT_EQ(first->init.start_time, second->init.start_time);
    EXPECT_FALSE(second->exit);
    const auto seen =
        kernel::read_file("/proc/" + std::to_string(first->init.pid) + "/cgroup", 4096);
    ASSERT_TRUE(seen);
    EXPECT_NE(seen->find("-" + guest_->request.uuid.to_string() + "\n"), std::string::npos);
    EXPECT_FALSE((*monitor)->release()) << "init still runs";
}

// Runs `as_daemon` in a process of its own, which then dies as by kill -9. Its children become
// ours.
template <typename Function>
void in_a_daemon_that_dies(const Function& as_daemon) {
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    const pid_t daemon = ::fork();
    ASSERT_GE(daemon, 0);
    if (daemon == 0) {
        if (as_daemon()) {
            (void)::raise(SIGKILL);
        }
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(daemon, &status, 0), daemon);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the daemon got to its end";
}

void reap_orphans() {
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

TEST_F(MonitorTest, EndsWithADaemonThatDiesBeforeTheFinish) {
    ASSERT_NO_FATAL_FAILURE(in_a_daemon_that_dies([&] {
        static auto starting = guest_->begin();
        return starting.has_value() && (*starting)->init().pid > 0;
    }));
    EXPECT_TRUE(guest_->await_empty_group());
    reap_orphans();
    const auto connected = guest_->another_runtime()->connect(guest_->request.uuid);
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code(), ErrorCode::not_found);
}

TEST_F(MonitorTest, OutlivesTheDaemonAndServesTheNextOne) {
    ASSERT_NO_FATAL_FAILURE(in_a_daemon_that_dies(
        [&] { return guest_->start().has_value() && guest_->await_up().has_value(); }));
    const auto runtime = guest_->another_runtime();
    auto monitor = runtime->connect(guest_->request.uuid);
    ASSERT_TRUE(monitor) << monitor.error().to_string();
    EXPECT_EQ(run_guest(**monitor, {"exit", "5"})->code, 5);
    ASSERT_TRUE((*monitor)->signal_init(SIGUSR1));
    pollfd wait{.fd = (*monitor)->event_fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
    const auto status = (*monitor)->status();
    ASSERT_TRUE(status && status->exit);
    EXPECT_EQ(status->exit->status, 7);
    // Kept for whoever comes late, too.
    auto later = guest_->another_runtime()->connect(guest_->request.uuid);
    ASSERT_TRUE(later);
    wait.fd = (*later)->event_fd();
    EXPECT_EQ(::poll(&wait, 1, 10'000), 1);
    EXPECT_TRUE((*later)->release());
    reap_orphans();
}

TEST_F(MonitorTest, KeepsASessionWhoseDaemonDies) {
    ASSERT_NO_FATAL_FAILURE(in_a_daemon_that_dies(
        [&] { return guest_->start().has_value() && guest_->await_up().has_value(); }));
    auto sockets = test::make_stream_pair();
    ASSERT_TRUE(sockets);
    // A second daemon hands a client over and is killed with the session in mid-stream.
    ASSERT_NO_FATAL_FAILURE(in_a_daemon_that_dies([&] {
        auto monitor = guest_->another_runtime()->connect(guest_->request.uuid);
        ExecRequest request;
        request.argv = {"/bin/guest", "await-signal"};
        request.terminal = true;
        return monitor && (*monitor)->exec(request, test::give(sockets->second));
    }));
    auto session = test::OpenSession::adopt(std::move(sockets->first));
    auto terminal = session.expect(session::FrameType::terminal);
    ASSERT_TRUE(terminal) << terminal.error().to_string();
    ASSERT_TRUE(test::read_until(terminal->fds[0].get(), "ready"));
    ASSERT_TRUE(session.expect(session::FrameType::started));
    const session::SignalPayload payload{.number = SIGINT};
    ASSERT_TRUE(session.send(session::FrameType::signal,
                             {reinterpret_cast<const char*>(&payload), sizeof payload}));
    auto exited = session.expect(session::FrameType::exited);
    ASSERT_TRUE(exited) << exited.error().to_string();
    EXPECT_EQ(static_cast<int>(exited->payload[0]), SIGINT) << "its own exit code";
    ASSERT_TRUE(guest_->another_runtime()->discard(guest_->request.uuid));
    EXPECT_TRUE(guest_->await_empty_group());
    reap_orphans();
}

TEST_F(MonitorTest, TakesTheContainerWithItWhenItIsKilled) {
    ASSERT_NO_FATAL_FAILURE(start());
    const auto status = guest_->monitor().status();
    ASSERT_TRUE(status);
    ASSERT_TRUE(guest_->another_runtime()->discard(guest_->request.uuid));
    EXPECT_TRUE(guest_->await_empty_group());
    pollfd wait{.fd = guest_->monitor().event_fd(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&wait, 1, 10'000), 1);
    EXPECT_FALSE(guest_->monitor().status());
}

} // namespace
} // namespace lodge::daemon
