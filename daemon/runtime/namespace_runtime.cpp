#include "daemon/runtime/monitor_client.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/message_socket.hpp"
#include "lib/kernel/process.hpp"
#include "lib/kernel/spawn.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <mutex>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

using monitor::MessageType;
using namespace std::chrono_literals;

// Longer than the monitor's own deadlines, so that its report of a hang reaches us.
constexpr auto kStartDeadline = 90s;
constexpr auto kDeathDeadline = 10s;

// It gets a session of its own, away from the daemon's terminal and from signals to the daemon's
// process group.
Result<pid_t> spawn_monitor(const std::string& program, const std::string& uuid, int channel) {
    kernel::SpawnPlan plan;
    sigset_t none;
    sigset_t all;
    (void)::sigemptyset(&none);
    (void)::sigfillset(&all);
    int rc = 0;
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        rc =
            rc != 0
                ? rc
                : posix_spawn_file_actions_addopen(&plan.actions, standard, "/dev/null", O_RDWR, 0);
    }
    rc = rc != 0 ? rc
                 : posix_spawn_file_actions_adddup2(&plan.actions, channel, monitor::kStartChannel);
    rc = rc != 0
             ? rc
             : posix_spawn_file_actions_addclosefrom_np(&plan.actions, monitor::kStartChannel + 1);
    rc = rc != 0 ? rc : posix_spawnattr_setsigmask(&plan.attributes, &none);
    rc = rc != 0 ? rc : posix_spawnattr_setsigdefault(&plan.attributes, &all);
    rc = rc != 0 ? rc
                 : posix_spawnattr_setflags(&plan.attributes,
                                            POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETSIGDEF);
    if (rc != 0) {
        return fail_errno("posix_spawn_file_actions", program, rc);
    }
    std::string name = "lodge-monitor";
    std::string argument = uuid; // for people who look at ps(1)
    std::array<char*, 3> argv{name.data(), argument.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    pid_t pid = -1;
    rc = posix_spawn(
        &pid, program.c_str(), &plan.actions, &plan.attributes, argv.data(), environment.data());
    if (rc != 0) {
        return fail_errno("posix_spawn", program, rc);
    }
    return pid;
}

Status await_death(int pidfd) {
    pollfd wait{.fd = pidfd, .events = POLLIN, .revents = 0};
    const Deadline deadline = Deadline::after(kDeathDeadline);
    while (true) {
        const int ready = ::poll(&wait, 1, deadline.poll_timeout());
        if (ready > 0) {
            return {};
        }
        if (ready == 0) {
            return fail(ErrorCode::timeout, "a killed monitor does not die");
        }
        if (errno != EINTR) {
            return fail_errno("poll");
        }
    }
}

/// The monitors that are children of this daemon and must be reaped by it. Thread-safe.
class Children {
  public:
    void add(const Uuid& container, pid_t pid) {
        const std::lock_guard lock(mutex_);
        pids_[container] = pid;
    }
    /// Reaps ended monitors, so that a zombie lasts no longer than until the next call.
    void reap() {
        const std::lock_guard lock(mutex_);
        std::erase_if(pids_, [](const auto& entry) {
            return ::waitpid(entry.second, nullptr, WNOHANG) != 0; // ended, or not ours any more
        });
    }
    /// Kills the monitor of `container`, if it is our child. A traced one is reaped later.
    Status kill(const Uuid& container) {
        UniqueFd pidfd;
        {
            const std::lock_guard lock(mutex_);
            const auto found = pids_.find(container);
            if (found == pids_.end()) {
                return {};
            }
            // Not reaped yet, so the number is still the monitor's.
            ASSIGN_OR_RETURN(pidfd, kernel::open_process(found->second));
        }
        RETURN_IF_ERROR(kernel::send_signal(pidfd.get(), SIGKILL));
        RETURN_IF_ERROR(await_death(pidfd.get()));
        reap();
        return {};
    }

  private:
    std::mutex mutex_;
    std::map<Uuid, pid_t> pids_; ///< guarded by mutex_
};

// A monitor that goes during a start is a failure and no cancellation.
Result<monitor::Message> expect_from_monitor(int channel, MessageType type) {
    auto message = monitor::expect(channel, type, Deadline::after(kStartDeadline));
    if (!message && message.error().code() == ErrorCode::cancelled) {
        return fail(ErrorCode::internal, "start the container: its monitor has ended");
    }
    return with_context(std::move(message), "start the container");
}

class StartingMonitor final : public StartingContainer {
  public:
    StartingMonitor(UniqueFd directory, UniqueFd channel, std::function<void()> abandon)
        : directory_(std::move(directory)), channel_(std::move(channel)),
          abandon_(std::move(abandon)) {}
    ~StartingMonitor() override {
        if (abandon_) {
            abandon_();
        }
    }
    StartingMonitor(const StartingMonitor&) = delete;
    StartingMonitor& operator=(const StartingMonitor&) = delete;

    Status build(const Layers& layers) override {
        std::vector<int> fds{layers.volume_fd};
        if (layers.lower_fd >= 0) {
            fds.push_back(layers.lower_fd);
        }
        // A monitor that failed meanwhile left its reason to be read.
        (void)monitor::send(channel_.get(), MessageType::layers, {}, fds);
        ASSIGN_OR_RETURN(monitor::Message cloned,
                         expect_from_monitor(channel_.get(), MessageType::cloned));
        monitor::Reader reader(cloned.payload);
        init_.pid = reader.i32();
        init_.start_time = reader.u64();
        if (!reader.ok() || cloned.fds.size() != 1) {
            return fail(ErrorCode::corrupt, "malformed message of a monitor");
        }
        network_ = std::move(cloned.fds[0]);
        return {};
    }

    int directory() const { return directory_.get(); }
    int channel() const { return channel_.get(); }
    network::CardEnd card_end() const override { return network::InNamespace{network_.get()}; }
    InitProcess init() const override { return init_; }

    Result<std::unique_ptr<Monitor>> finish() override {
        (void)monitor::send(channel_.get(), MessageType::go); // as above
        RETURN_IF_ERROR(expect_from_monitor(channel_.get(), MessageType::started));
        abandon_ = nullptr;
        return make_monitor(std::move(directory_), std::move(channel_));
    }

  private:
    UniqueFd directory_;
    UniqueFd channel_;
    UniqueFd network_;
    InitProcess init_;
    std::function<void()> abandon_;
};

class FakeRuntime final : public Runtime {
  public:
    explicit FakeRuntime(NamespaceRuntimeSettings settings) : settings_(std::move(settings)) {}

    Result<std::unique_ptr<StartingContainer>> begin(const StartRequest& request) override {
        const std::string path = monitor_directory(settings_.run_directory, request.uuid);
        RETURN_IF_ERROR(kernel::make_directory(path, 0700));
        ASSIGN_OR_RETURN(UniqueFd directory, kernel::open_directory(path));
        ASSIGN_OR_RETURN(const auto living, if_watched(connect_monitor(directory.get(), false)));
        if (living) {
            return fail(ErrorCode::invalid_state, "the container has a living monitor");
        }
        if (::unlinkat(directory.get(), monitor::kSocketName, 0) != 0 && errno != ENOENT) {
            return fail_errno("unlink", path + "/" + monitor::kSocketName);
        }
        ASSIGN_OR_RETURN(auto pair, kernel::make_message_pair());
        ASSIGN_OR_RETURN(
            const pid_t pid,
            spawn_monitor(settings_.program, request.uuid.to_string(), pair.second.get()));
        children_.add(request.uuid, pid);
        pair.second.reset();
        auto starting = std::make_unique<StartingMonitor>(
            std::move(directory), std::move(pair.first), [this, uuid = request.uuid] {
                (void)discard(uuid); // the start's own error is the one to tell
            });
        RETURN_IF_ERROR(send_order(request, starting->directory(), starting->channel()));
        return starting;
    }

    Result<std::unique_ptr<Monitor>> connect(const Uuid& container) override {
        auto directory =
            kernel::open_directory(monitor_directory(settings_.run_directory, container));
        if (!directory && directory.error().sys_errno() == ENOENT) {
            return fail(ErrorCode::not_found, "the container has no monitor");
        }
        if (!directory) {
            return std::unexpected<Error>(std::move(directory).error());
        }
        ASSIGN_OR_RETURN(MonitorConnection connection, connect_monitor(directory->get(), true));
        return make_monitor(std::move(*directory), std::move(connection.socket));
    }

    Result<std::vector<Uuid>> list() override {
        children_.reap();
        std::vector<Uuid> containers;
        auto directory = kernel::open_directory(settings_.run_directory + "/monitors");
        if (!directory) {
            return directory.error().sys_errno() == ENOENT
                       ? Result<std::vector<Uuid>>(std::move(containers))
                       : std::unexpected<Error>(std::move(directory).error());
        }
        RETURN_IF_ERROR(kernel::for_each_entry(
            directory->get(), [&](const std::string& name, unsigned char) -> Status {
                if (auto uuid = Uuid::parse(name)) { // another name is nothing of ours
                    containers.push_back(*uuid);
                }
                return {};
            }));
        return containers;
    }

    Status discard(const Uuid& container) override {
        RETURN_IF_ERROR(children_.kill(container));
        auto directory =
            kernel::open_directory(monitor_directory(settings_.run_directory, container));
        if (!directory) {
            return directory.error().sys_errno() == ENOENT
                       ? Status()
                       : std::unexpected<Error>(std::move(directory).error());
        }
        RETURN_IF_ERROR(end_living(directory->get()));
        ASSIGN_OR_RETURN(const UniqueFd parent,
                         kernel::open_directory(settings_.run_directory + "/monitors"));
        return kernel::remove_tree_at(parent.get(), container.to_string());
    }

  private:
    // A monitor of an earlier daemon: the process that listens on its socket.
    static Status end_living(int directory) {
        const auto pidfd = open_monitor_process(directory);
        if (!pidfd) {
            return pidfd.error().code() == ErrorCode::not_found
                       ? Status()
                       : std::unexpected<Error>(pidfd.error());
        }
        RETURN_IF_ERROR(kernel::send_signal(pidfd->get(), SIGKILL));
        return await_death(pidfd->get());
    }

    Status send_order(const StartRequest& request, int directory, int channel) const {
        monitor::StartOrder order;
        order.uuid = request.uuid.to_string();
        order.hostname = request.hostname;
        order.uid_base = request.uid_base;
        order.shared_root = request.shared_root;
        order.console_log_bytes = static_cast<std::uint32_t>(request.console_log_bytes);
        order.init = request.init;
        order.seccomp_program.assign(settings_.seccomp_program.begin(),
                                     settings_.seccomp_program.end());
        const std::array fds{directory, request.cgroup_fd};
        return monitor::send(channel, MessageType::start, encode(order), fds);
    }

    NamespaceRuntimeSettings settings_;
    Children children_;
};

} // namespace

Result<std::unique_ptr<Runtime>> make_namespace_runtime(NamespaceRuntimeSettings settings) {
    if (settings.seccomp_program.empty()) {
        return fail(ErrorCode::invalid_argument, "no system call filter was given");
    }
    if (::access(settings.program.c_str(), X_OK) != 0) {
        return fail_errno("find the monitor's program", settings.program);
    }
    RETURN_IF_ERROR(kernel::make_directories(settings.run_directory + "/monitors", 0700));
    return std::make_unique<FakeRuntime>(std::move(settings));
}

} // namespace lodge::daemon
