#include "tests/support/lodge_host.hpp"

#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/process.hpp"
#include "lib/kernel/program.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/host_state.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::test {

namespace {

using namespace std::chrono_literals;

// With an empty `output` all standard streams are closed.
pid_t spawn(const std::vector<std::string>& words,
            const std::string& output,
            std::vector<std::string> environment) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (output.empty()) {
        for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
            posix_spawn_file_actions_addclose(&actions, stream);
        }
    } else {
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(
            &actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    }
    std::vector<char*> argv;
    for (const std::string& word : words) {
        argv.push_back(const_cast<char*>(word.c_str()));
    }
    argv.push_back(nullptr);
    environment.push_back(std::string("PATH=") + kernel::kProgramPath);
    std::vector<char*> variables;
    for (std::string& variable : environment) {
        variables.push_back(variable.data());
    }
    variables.push_back(nullptr);
    pid_t pid = -1;
    const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), variables.data());
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(error, 0) << words[0];
    return pid;
}

std::string place_of_cgroup2() {
    if (const auto mounts = kernel::read_mountinfo()) {
        for (const kernel::MountInfo& mount : *mounts) {
            if (mount.type == "cgroup2") {
                return mount.mount_point;
            }
        }
    }
    return "/sys/fs/cgroup";
}

// Templates stay mounted while they exist, whether or not a daemon runs; a directory with a mount
// in it cannot be removed.
void detach_mounts_below(const std::string& directory) {
    const auto mounts = kernel::read_mountinfo();
    EXPECT_TRUE(mounts);
    for (const kernel::MountInfo& mount : mounts ? *mounts : std::vector<kernel::MountInfo>()) {
        if (mount.mount_point.starts_with(directory + "/")) {
            EXPECT_TRUE(kernel::detach_mount(mount.mount_point));
        }
    }
}

// The value of a key in indented JSON, as its text; empty: there is none.
std::string value_in(const std::string& text, const std::string& key) {
    const std::string mark = "\"" + key + "\": ";
    const std::size_t at = text.find(mark);
    if (at == std::string::npos) {
        return {};
    }
    std::size_t begin = at + mark.size();
    const bool quoted = text[begin] == '"';
    begin += quoted ? 1 : 0;
    return text.substr(begin, text.find_first_of(quoted ? "\"" : ",\n", begin) - begin);
}

// A socket for sd_notify(3) at an abstract address, which belongs to the network namespace.
UniqueFd listen_for_readiness(const std::string& name) {
    UniqueFd listener(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(&address.sun_path[0], sizeof address.sun_path);
    address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size), 0)
        << name << ": " << errno;
    return listener;
}

// The next message; empty: there is none.
std::string message_at(int listener) {
    std::array<char, 4096> text{};
    const ssize_t size = ::recv(listener, text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "";
}

void pause_shortly() {
    (void)::poll(nullptr, 0, 20);
}

// The first host id of the containers of this process. A kill breaks the FUSE connections of a
// container's ids, so parallel shards must not share ids.
std::string first_uid() {
    const char* shard =
        std::getenv("GTEST_SHARD_INDEX"); // NOLINT(concurrency-mt-unsafe): nobody writes it
    const std::uint32_t index =
        shard != nullptr ? static_cast<std::uint32_t>(std::stoul(shard)) : 0;
    constexpr std::uint32_t kDefault = 16384; // ranges below
    constexpr std::uint32_t kEach = 1024;
    return std::to_string((kDefault + kEach * (index % 16)) * 65536);
}

} // namespace

CliResult run_to_end(const std::string& path, std::vector<std::string> arguments) {
    const auto output = kernel::run_program({.path = path,
                                             .arguments = std::move(arguments),
                                             .deadline = Deadline::after(patience(30s)),
                                             .judged = true});
    EXPECT_TRUE(output) << output.error().to_string();
    return output ? CliResult{.code = output->exit_code,
                              .out = output->standard_output,
                              .err = output->standard_error}
                  : CliResult{};
}

LodgeHost::LodgeHost() {
    // The leak check recognises the groups of this process by this name.
    static int count = 0;
    cgroup_ = "/lodge-test-" + std::to_string(::getpid()) + "-host" + std::to_string(++count);
    notify_ = "@" + directory();
    readiness_ = listen_for_readiness(notify_);
    const auto place = kernel::open_directory(directory());
    EXPECT_TRUE(place && put_file(place->get(),
                                  "lodge.yaml",
                                  "cgroup: " + cgroup_ + "\nfirst_uid: " + first_uid() + "\n"));
}

void LodgeHost::configure(const std::string& lines) {
    const auto place = kernel::open_directory(directory());
    const auto text = kernel::read_file(directory() + "/lodge.yaml", 4096);
    EXPECT_TRUE(place && text && put_file(place->get(), "lodge.yaml", *text + lines));
}

LodgeHost::~LodgeHost() {
    stop_daemon();
    detach_mounts_below(directory());
    for (const char* group : {"/daemon", ""}) {
        const std::string path = place_of_cgroup2() + cgroup_ + group;
        EXPECT_TRUE(::rmdir(path.c_str()) == 0 || errno == ENOENT) << path << ": " << errno;
    }
}

void LodgeHost::start_daemon() {
    spawn_daemon();
    await_daemon();
}

void LodgeHost::spawn_daemon() {
    while (!message_at(readiness_.get()).empty()) { // messages of a killed one
    }
    std::vector<std::string> environment = environment_;
    environment.push_back("NOTIFY_SOCKET=" + notify_);
    daemon_ = spawn({LODGE_BIN_DIR "/lodged",
                     "--foreground",
                     "--config",
                     directory() + "/lodge.yaml",
                     "--state-dir",
                     directory() + "/state",
                     "--run-dir",
                     directory() + "/run"},
                    streams_closed_ ? "" : directory() + "/lodged.log",
                    std::move(environment));
}

void LodgeHost::await_daemon() {
    const auto process = kernel::open_process(daemon_);
    ASSERT_TRUE(process) << process.error().to_string();
    const Deadline deadline = Deadline::after(patience(10s));
    std::array<pollfd, 2> events{pollfd{.fd = readiness_.get(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = process->get(), .events = POLLIN, .revents = 0}};
    while (message_at(readiness_.get()).find("READY=1") == std::string::npos) {
        ASSERT_GT(::poll(events.data(), events.size(), deadline.poll_timeout()), 0)
            << "lodged is not ready: " << daemon_log();
        ASSERT_EQ(events[1].revents, 0) << "lodged ended: " << daemon_log();
    }
}

void LodgeHost::give_daemons(std::vector<std::string> environment) {
    environment_ = std::move(environment);
}

CliResult LodgeHost::run_daemon() const {
    return run_to_end(LODGE_BIN_DIR "/lodged",
                      {"--config",
                       directory() + "/lodge.yaml",
                       "--state-dir",
                       directory() + "/state",
                       "--run-dir",
                       directory() + "/run"});
}

void LodgeHost::kill_daemon() {
    if (daemon_ > 0) {
        (void)::kill(daemon_, SIGKILL);
        (void)::waitpid(daemon_, nullptr, 0);
        daemon_ = -1;
    }
}

void LodgeHost::cut_power(const std::vector<std::string>& running) {
    std::vector<pid_t> all;
    for (const std::string& name : running) {
        const pid_t init = init_of(*this, name).pid;
        ASSERT_NE(init, 0) << name << " does not run: " << daemon_log();
        all.insert(all.end(), {parent_of(init), init});
    }
    kill_daemon();
    for (const pid_t pid : all) {
        (void)::kill(pid, SIGKILL); // init ends with its monitor
    }
    EXPECT_TRUE(std::all_of(all.begin(), all.end(), has_ended));
}

void LodgeHost::stop_daemon() {
    if (daemon_ > 0) {
        (void)::kill(daemon_, SIGTERM);
        int status = 0;
        (void)::waitpid(daemon_, &status, 0);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << daemon_log();
        daemon_ = -1;
    }
}

void LodgeHost::import_tiny() {
    namespace fs = std::filesystem;
    const std::string tree = directory() + "/tiny";
    for (const char* part : {"bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp", "root"}) {
        fs::create_directories(tree + "/" + part);
    }
    const auto root = kernel::open_directory(tree);
    ASSERT_TRUE(root);
    ASSERT_TRUE(install(LODGE_BIN_DIR "/tests/lodge_guest", root->get(), "bin/guest"));
    fs::create_hard_link(tree + "/bin/guest", tree + "/sbin/init");
    ASSERT_TRUE(put_file(root->get(), "etc/passwd", "root:x:0:0:root:/root:/bin/guest\n"));
    ASSERT_TRUE(put_file(root->get(), "etc/group", "root:x:0:\n"));
    const std::string tar = directory() + "/tiny.tar";
    ASSERT_TRUE(kernel::run_program({.path = "tar",
                                     .arguments = {"-cf", tar, "-C", tree, "."},
                                     .environment = {},
                                     .input = {},
                                     .deadline = Deadline::after(patience(20s))}));
    const CliResult imported = lodge({"template", "import", "tiny", tar});
    ASSERT_EQ(imported.code, 0) << imported.err << daemon_log();
}

void LodgeHost::destroy_all() {
    const CliResult list = lodge({"list", "--json"});
    const std::string mark = "\"name\": \"";
    for (std::size_t at = list.out.find(mark); at != std::string::npos;
         at = list.out.find(mark, at + 1)) {
        const std::size_t begin = at + mark.size();
        const std::string name = list.out.substr(begin, list.out.find('"', begin) - begin);
        const CliResult gone = lodge({"destroy", name, "--force"});
        EXPECT_EQ(gone.code, 0) << gone.err;
    }
}

CliResult LodgeHost::lodge(std::vector<std::string> arguments, const std::string& input) const {
    const auto output = kernel::run_program({.path = LODGE_BIN_DIR "/lodge",
                                             .arguments = std::move(arguments),
                                             .environment = {"LODGE_SOCKET=" + socket()},
                                             .input = input,
                                             .deadline = Deadline::after(patience(60s)),
                                             .judged = true});
    if (!output) {
        return {.code = -1, .out = {}, .err = output.error().to_string()};
    }
    return {
        .code = output->exit_code, .out = output->standard_output, .err = output->standard_error};
}

pid_t LodgeHost::lodge_in_background(const std::vector<std::string>& arguments) const {
    std::vector<std::string> words{LODGE_BIN_DIR "/lodge"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return spawn(words, directory() + "/lodge.log", {"LODGE_SOCKET=" + socket()});
}

std::string LodgeHost::client_log() const {
    return kernel::read_file(directory() + "/lodge.log", std::size_t{1} << 20).value_or("");
}

std::string LodgeHost::field(const std::string& name, const std::string& key) const {
    return value_in(lodge({"info", name, "--json"}).out, key);
}

std::string LodgeHost::field_of_template(const std::string& name, const std::string& key) const {
    return value_in(lodge({"template", "info", name, "--json"}).out, key);
}

std::string LodgeHost::daemon_log() const {
    const auto text = kernel::read_file(directory() + "/lodged.log", std::size_t{16} << 20);
    return text ? "lodged said:\n" + *text : text.error().to_string();
}

void LodgeTest::SetUp() {
    REQUIRES("root");
    REQUIRES("cgroup2");
    host = std::make_unique<LodgeHost>();
    ASSERT_NO_FATAL_FAILURE(prepare_host());
    ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    ASSERT_NO_FATAL_FAILURE(host->import_tiny());
    // The objects that the first start of a host makes for all containers (bridge, table, group)
    // are no leak of a container.
    const CliResult first =
        host->lodge({"create", "first", "--template", "tiny", "--encryption", "none", "--start"});
    ASSERT_EQ(first.code, 0) << host->daemon_log();
    ASSERT_EQ(host->lodge({"destroy", "first", "--force"}).code, 0) << host->daemon_log();
    before_ = take_inventory({host->directory() + "/state/containers"});
    // The tests may replace the daemon's process, and no daemon runs at the last check.
    const std::string daemon = std::to_string(host->daemon_pid());
    before_.erase("child " + daemon);
    before_.erase("process " + daemon + " lodged\n");
}

void LodgeTest::TearDown() {
    if (host) {
        host->destroy_all();
        host->stop_daemon();
        if (!before_.empty()) {
            EXPECT_EQ(settle_to(before_, {host->directory() + "/state/containers"}), "")
                << host->daemon_log();
        }
    }
    host.reset();
}

void LodgeTest::await_init(const std::string& name) {
    // Init blocks the signals that it reads: a later signal waits for it.
    const std::string nothing = "SigBlk:\t0000000000000000\n";
    const Deadline deadline = Deadline::after(patience(10s));
    while (true) {
        const auto status =
            kernel::read_file("/proc/" + host->field(name, "pid") + "/status", 65536);
        if (status && status->find("SigBlk:") != std::string::npos &&
            status->find(nothing) == std::string::npos) {
            return;
        }
        ASSERT_FALSE(deadline.expired()) << host->daemon_log();
        pause_shortly();
    }
}

std::string LodgeTest::shell(const std::string& script) const {
    const auto done = kernel::run_program(
        {.path = "bash",
         .arguments = {"-euo", "pipefail", "-c", "PATH=$BIN:$PATH; cd \"$DIR\"; " + script},
         .environment = {"BIN=" LODGE_BIN_DIR,
                         "DIR=" + host->directory(),
                         "LODGE_SOCKET=" + host->socket()},
         .deadline = Deadline::after(patience(120s))});
    EXPECT_TRUE(done) << done.error().to_string() << host->daemon_log();
    return done ? done->standard_output : "";
}

void LodgeTest::expect_field(const std::string& name,
                             const std::string& key,
                             const std::string& value) {
    const Deadline deadline = Deadline::after(patience(10s));
    while (host->field(name, key) != value && !deadline.expired()) {
        pause_shortly();
    }
    EXPECT_EQ(host->field(name, key), value) << host->daemon_log();
}

void RunningContainerTest::SetUp() {
    LodgeTest::SetUp();
    if (HasFatalFailure() || IsSkipped()) {
        return;
    }
    ASSERT_EQ(host->lodge({"create", "web1", "--template", "tiny", "--start"}).code, 0)
        << host->daemon_log();
}

std::string distribution_tar() {
    const char* value =
        std::getenv("LODGE_TEST_TEMPLATE"); // NOLINT(concurrency-mt-unsafe): nobody writes it
    return value != nullptr && ::access(value, R_OK) == 0 ? value : "";
}

} // namespace lodge::test
