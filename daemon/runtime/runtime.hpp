#pragma once

#include "daemon/services/sessions.hpp"
#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/base/uuid.hpp"
#include "lib/kernel/mount.hpp"
#include "network/network.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lodge::daemon {

// The seam between the verbs of containers and the means by which one runs. A verb knows rows,
// volumes, cards and groups. A runtime knows what stands inside a group: namespaces and an init of
// the host's kernel today. Another runtime, such as a guest under a virtual machine monitor,
// implements Runtime, StartingContainer and Monitor; it adds an alternative to network::CardEnd
// when its cards end elsewhere, and its own means to Monitor::ask_to_halt().
//
// A group's limits, freeze and kill hold for every runtime: its processes are in the container's
// group.

/// All data that a runtime needs to run a container, except its layers. The descriptor is lent
/// for the call.
struct StartRequest {
    Uuid uuid;
    std::string name;
    std::string hostname;
    std::uint32_t uid_base = 0;
    bool shared_root = true; ///< overlay of the template and data/{upper,work}; else data/root
    int cgroup_fd = -1;      ///< the container's group
    std::vector<std::string> init; ///< argv of init
    std::string halt_signal;       ///< for graceful stop, "SIGRTMIN+3"
    std::size_t console_log_bytes = std::size_t{64} << 10;
};

/// The layers of a container's root. The descriptors are lent for the call.
struct Layers {
    int volume_fd = -1; ///< detached mount of the volume's ext4
    int lower_fd = -1;  ///< detached clone of the template, when the root is shared
};

struct InitProcess {
    std::int32_t pid = 0; ///< in the daemon's pid namespace
    std::uint64_t start_time =
        0; ///< field 22 of /proc/PID/stat (man 5 proc): with the pid, an identity
};

/// How init ended. The kernel reports a reboot(2) inside as a signal (man 2 reboot, "Behavior
/// inside PID namespaces").
struct InitExit {
    enum class Kind : std::uint8_t { halted, rebooted, exited, signalled };
    Kind kind = Kind::exited;
    std::int32_t status = 0; ///< exit code or signal number
};

struct MonitorStatus {
    InitProcess init;
    std::optional<InitExit> exit; ///< set: init is gone, the monitor waits to be released
    std::uint32_t sessions = 0;   ///< exec sessions and console clients
};

struct HaltRequest {
    std::string signal; ///< the template's halt signal, "SIGRTMIN+3"
    InitProcess init;   ///< as its row has it
};
/// How a container took it.
enum class Halting : std::uint8_t {
    asked,
    deaf, ///< init was started only just now and loses the request: ask again
    gone, ///< init or its monitor is gone already
};

/// A living monitor. Methods are thread-safe. Each has a deadline of its own, and fails with
/// timeout, or with not_found once the monitor is gone.
class Monitor {
  public:
    Monitor() = default;
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;
    virtual ~Monitor() = default;

    [[nodiscard]] virtual Result<MonitorStatus> status() = 0;
    /// Asks init to halt, by the runtime's means. Does not wait.
    [[nodiscard]] virtual Result<Halting> ask_to_halt(const HaltRequest& request) = 0;
    /// Sends `signal_number` to init.
    [[nodiscard]] virtual Status signal_init(int signal_number) = 0;
    /// Hands a client's connection over (see lib/session); from then on the daemon has no part in
    /// it. The connection is taken once the monitor has agreed; later failures are sent on it too.
    [[nodiscard]] virtual Status exec(const ExecRequest& request,
                                      const TakeClient& take_client) = 0;
    [[nodiscard]] virtual Status console(const TakeClient& take_client) = 0;
    /// The last bytes of the console.
    [[nodiscard]] virtual Result<std::string> console_log() = 0;
    /// Lets the monitor go, after the exit status was recorded. Pre: init has exited.
    [[nodiscard]] virtual Status release() = 0;
    /// Readable when the monitor has news: init has exited (status() tells), or the monitor is gone
    /// (every call fails). For poll(2) in one watching thread.
    [[nodiscard]] virtual int event_fd() const = 0;
};

/// The answer of ask_to_halt(), as a signal to init was sent or not.
[[nodiscard]] Result<Halting> halting_of(const Status& sent, bool deaf);

/// Whether a failure of Monitor::status() or Runtime::connect() means that nobody watches
/// the container: its monitor is gone, or hangs for good. Any other failure (no descriptor, no
/// place among its connections) says nothing about that.
[[nodiscard]] bool is_unwatched(const Error& error);
/// The result of such a call; nothing if nobody watches. An error says nothing about the container:
/// ask again.
template <typename T>
[[nodiscard]] Result<std::optional<T>> if_watched(Result<T> told) {
    if (told) {
        return std::optional<T>(std::move(*told));
    }
    if (is_unwatched(told.error())) {
        return std::optional<T>();
    }
    return std::unexpected<Error>(std::move(told).error());
}

/// A container that is being started: build(), then finish(). Its destruction without finish()
/// kills the clone and the monitor, and so does the death of the daemon.
class StartingContainer {
  public:
    StartingContainer() = default;
    StartingContainer(const StartingContainer&) = delete;
    StartingContainer& operator=(const StartingContainer&) = delete;
    virtual ~StartingContainer() = default;

    /// Hands the layers over and returns when the clone exists; the monitor goes on to make its
    /// root. Once.
    [[nodiscard]] virtual Status build(const Layers& layers) = 0;
    /// Where its cards end, for network::LinkDriver::attach(). Pre, of this and of init(): built.
    [[nodiscard]] virtual network::CardEnd card_end() const = 0;
    [[nodiscard]] virtual InitProcess init() const = 0;
    /// Lets init run. Returns when init was exec'ed or failed to be.
    [[nodiscard]] virtual Result<std::unique_ptr<Monitor>> finish() = 0;
};

/// Starts containers and finds the living ones. Thread-safe.
class Runtime {
  public:
    Runtime() = default;
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;
    virtual ~Runtime() = default;

    /// Spawns the container's monitor, which makes it in its group. Does not wait for it: the
    /// caller opens the layers meanwhile.
    [[nodiscard]] virtual Result<std::unique_ptr<StartingContainer>>
    begin(const StartRequest& request) = 0;
    /// Connects to the living monitor of a container. not_found when there is none; timeout when it
    /// does not answer, even after a SIGCONT.
    [[nodiscard]] virtual Result<std::unique_ptr<Monitor>> connect(const Uuid& container) = 0;
    /// UUIDs with a monitor directory below the run directory, living or dead, for the inventory.
    [[nodiscard]] virtual Result<std::vector<Uuid>> list() = 0;
    /// Kills the monitor if it lives (SIGKILL, by pidfd) and removes its directory. Missing:
    /// success.
    [[nodiscard]] virtual Status discard(const Uuid& container) = 0;
};

/// The runtime of containers that are namespaces of the host's kernel, under lodge-monitor.
struct NamespaceRuntimeSettings {
    std::string program;                        ///< path of lodge-monitor
    std::string run_directory;                  ///< monitors live in RUN/monitors/<uuid>/
    std::vector<unsigned char> seccomp_program; ///< sock_filter bytes, see daemon/seccomp
};
[[nodiscard]] Result<std::unique_ptr<Runtime>>
make_namespace_runtime(NamespaceRuntimeSettings settings);

} // namespace lodge::daemon
