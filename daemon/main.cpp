#include "daemon/api/server.hpp"
#include "daemon/clean_host.hpp"
#include "daemon/command_line.hpp"
#include "daemon/config.hpp"
#include "daemon/daemon.hpp"
#include "daemon/log.hpp"
#include "daemon/notify.hpp"
#include "daemon/rescue/rescue.hpp"
#include "lib/api/json.hpp"
#include "lib/base/standard_streams.hpp"
#include "lib/kernel/fs.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace lodge::daemon {
namespace {

constexpr std::size_t kLongestConfig = std::size_t{1} << 20;

Result<Settings> read_settings(const CommandLine& options) {
    ASSIGN_OR_RETURN(Settings settings, default_settings());
    const std::string standard = "/etc/lodge/lodge.yaml";
    const std::string file = options.config.empty() ? standard : options.config;
    const auto text = kernel::read_file(file, kLongestConfig);
    if (text) {
        RETURN_IF_ERROR(apply_config(*text, file, settings));
    } else if (!options.config.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "the file '" + file + "' cannot be read: " + text.error().message());
    } else if (text.error().sys_errno() != ENOENT) {
        return std::unexpected<Error>(text.error());
    }
    if (!options.state_directory.empty()) {
        settings.state_directory = options.state_directory;
    }
    if (!options.run_directory.empty()) {
        settings.run_directory = options.run_directory;
    }
    if (!options.socket.empty()) {
        settings.socket_path = options.socket;
    }
    for (const std::string* path : {&settings.state_directory, &settings.run_directory}) {
        if (path->empty() || path->front() != '/') {
            return fail(ErrorCode::invalid_argument, "'" + *path + "' must be an absolute path");
        }
    }
    // Checked first, so that the daemon makes nothing on a host on which it cannot serve.
    if (settings.socket().size() >= sizeof(sockaddr_un::sun_path)) {
        return fail(ErrorCode::invalid_argument,
                    "the socket path is too long (107 bytes at most): '" + settings.socket() +
                        "'; give another --socket or --run-dir");
    }
    return settings;
}

// A killed daemon may have left a child before its exec, which holds the lock.
constexpr auto kPredecessorGone = std::chrono::seconds(2);

// One daemon per state directory: the process holds the lock until it ends.
Result<UniqueFd> lock_state(const Settings& settings) {
    RETURN_IF_ERROR(kernel::make_directories(settings.state_directory, 0700));
    const std::string path = settings.state_directory + "/lodged.lock";
    ASSIGN_OR_RETURN(UniqueFd lock, kernel::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    const Status locked = kernel::lock_exclusively(lock.get(), Deadline::after(kPredecessorGone));
    if (!locked && locked.error().code() == ErrorCode::busy) {
        return fail(ErrorCode::busy,
                    "another lodged already works on '" + settings.state_directory +
                        "'; stop it, or give another --state-dir");
    }
    RETURN_IF_ERROR(with_context(locked, "lock " + path));
    return lock;
}

// The daemon holds keys: it writes no core file, and nobody attaches to it.
Status harden() {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return fail_errno("forbid core dumps");
    }
    (void)::umask(077);
    return {};
}

// Raises the limit to the hard limit, because each connection and each container takes descriptors.
// The monitor sets the limit for containers.
Status raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return fail_errno("getrlimit(RLIMIT_NOFILE)");
    }
    limit.rlim_cur = limit.rlim_max;
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? Status{}
                                                   : fail_errno("setrlimit(RLIMIT_NOFILE)");
}

// Called before any thread is made, so that every thread inherits it.
sigset_t block_signals() {
    sigset_t signals;
    (void)::sigemptyset(&signals);
    (void)::sigaddset(&signals, SIGTERM);
    (void)::sigaddset(&signals, SIGINT);
    (void)::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    (void)::signal(SIGPIPE, SIG_IGN);
    return signals;
}

void tell_manager(const char* state, const Log& log) {
    if (const Status told = notify_service_manager(state); !told) {
        log.write(LogLevel::warning, told.error().to_string() + ", ignoring");
    }
}

// An upgrade takes this time plus the start of the next daemon. Most operations end within a tenth
// of a second; the next daemon completes the others.
constexpr auto kGrace = std::chrono::milliseconds(400);
constexpr auto kLongestEnd = std::chrono::milliseconds(900);

// Ends the process by an alarm: the destructors wait for threads, and a thread may hang with a
// monitor or in the kernel.
void end_in_any_case() {
    constexpr auto kLast = std::chrono::microseconds(std::chrono::milliseconds(1400));
    struct sigaction action{};
    action.sa_handler = [](int) { ::_exit(0); };
    const itimerval timer{
        .it_interval = {},
        .it_value = {.tv_sec = kLast.count() / 1'000'000, .tv_usec = kLast.count() % 1'000'000}};
    (void)::sigaction(SIGALRM, &action, nullptr); // fails only for bad arguments, as the next call
    (void)::setitimer(ITIMER_REAL, &timer, nullptr);
}

// Ends requests, waits, operations and connections; then all objects may be destroyed. A thread
// that hangs is left as after a SIGKILL; recovery repairs that.
void end(Daemon& daemon, Server& server, const Log& log) {
    const Deadline grace = Deadline::after(kGrace);
    const Deadline deadline = Deadline::after(kLongestEnd);
    end_in_any_case();
    server.refuse();
    const bool drained = daemon.shut_down(grace, deadline);
    const bool stopped = server.stop(deadline);
    if (!drained || !stopped) {
        log.write(LogLevel::warning,
                  std::string("ending while ") + (drained ? "a request" : "an operation") +
                      " is on its way; the next start sees to it");
        ::_exit(0);
    }
}

// RUN_DIR/lodged.pid, for hosts without a service manager. A killed daemon leaves its file.
class PidFile {
  public:
    PidFile(const std::string& run_directory, const Log& log) {
        auto place = kernel::open_directory(run_directory);
        const Status written =
            place
                ? kernel::replace_file(place->get(), kName, std::to_string(::getpid()) + "\n", 0644)
                : Status(std::unexpected<Error>(place.error()));
        if (!written) {
            log.write(LogLevel::warning, written.error().to_string() + ", ignoring");
            return;
        }
        place_ = std::move(*place);
    }
    ~PidFile() {
        if (place_) {
            (void)::unlinkat(place_.get(), kName, 0); // best effort: a kill leaves it too
        }
    }
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;

  private:
    static constexpr const char* kName = "lodged.pid";
    UniqueFd place_;
};

Status serve(const CommandLine& options, const Log& log) {
    const sigset_t signals = block_signals();
    if (::geteuid() != 0) {
        return fail(ErrorCode::permission_denied, "lodged needs to be run by root");
    }
    RETURN_IF_ERROR(harden());
    RETURN_IF_ERROR(raise_descriptor_limit());
    ASSIGN_OR_RETURN(const Settings settings, read_settings(options));
    ASSIGN_OR_RETURN(const UniqueFd lock, lock_state(settings));
    ASSIGN_OR_RETURN(const auto daemon, make_daemon(settings, log));
    ASSIGN_OR_RETURN(const auto server,
                     start_server(*daemon, settings.socket(), settings.socket_group));
    const PidFile pid_file(settings.run_directory, log);
    log.write(LogLevel::info, "ready at " + settings.socket());
    tell_manager("READY=1", log);
    int received = 0;
    (void)::sigwait(&signals, &received); // fails only for a bad set
    log.write(LogLevel::info,
              "stopping on signal " + std::to_string(received) + "; containers go on");
    tell_manager("STOPPING=1", log);
    end(*daemon, *server, log);
    return {};
}

// The state of a lodged that does a task without serving, in place of a daemon.
struct InPlaceOfADaemon {
    Settings settings;
    UniqueFd lock;
};
Result<InPlaceOfADaemon> take_its_place(const CommandLine& options) {
    if (::geteuid() != 0) {
        return fail(ErrorCode::permission_denied, "lodged needs to be run by root");
    }
    RETURN_IF_ERROR(harden());
    InPlaceOfADaemon place;
    ASSIGN_OR_RETURN(place.settings, read_settings(options));
    ASSIGN_OR_RETURN(place.lock, lock_state(place.settings));
    return place;
}

// --recover: rebuilds the database. `lodge recover` reads the answer.
int recover(const CommandLine& options, const Log& log) {
    constexpr int kInPart = 21;
    const auto rebuild = [&]() -> Result<Rescued> {
        ASSIGN_OR_RETURN(const InPlaceOfADaemon place, take_its_place(options));
        return rebuild_database(place.settings);
    };
    const Result<Rescued> rescued = rebuild();
    if (!rescued) {
        log.write(LogLevel::error, "recover: " + rescued.error().to_string());
        (void)std::puts(api::to_text(api::to_json(rescued.error()), 2).c_str());
        return 1;
    }
    (void)std::puts(to_json(*rescued).c_str());
    return rescued->left.empty() ? 0 : kInPart;
}

// --clean-host: for people who uninstall Lodge, so the answer is text.
int clean(const CommandLine& options, const Log& log) {
    const auto cleaned = [&]() -> Result<std::vector<std::string>> {
        ASSIGN_OR_RETURN(const Settings settings, read_settings(options));
        std::vector<std::string> lines;
        if (has_run_here(settings)) {
            ASSIGN_OR_RETURN(const InPlaceOfADaemon place, take_its_place(options));
            ASSIGN_OR_RETURN(lines, clean_host(place.settings));
        }
        ASSIGN_OR_RETURN(std::string stays, describe_what_stays(settings));
        lines.push_back(std::move(stays));
        return lines;
    }();
    if (!cleaned) {
        const bool busy = cleaned.error().code() == ErrorCode::busy;
        log.write(LogLevel::error,
                  "clean the host: " + cleaned.error().to_string() +
                      (busy ? "; nothing was removed. Stop the containers (`lodge stop --all`), "
                              "then lodged, and try again"
                            : "; try again once that is mended"));
        return 1;
    }
    for (const std::string& line : *cleaned) {
        (void)std::puts(line.c_str());
    }
    return 0;
}

// A wrong command line. A restart cannot repair it.
int refuse(const Error& error) {
    const std::string& why = error.message();
    const char* const advice = why.ends_with('?') ? "" : "; see `lodged --help`";
    (void)std::fprintf(stderr, "lodged: %s%s\n", why.c_str(), advice);
    return 2;
}

// Of the paths that it names.
Status check_paths(const CommandLine& options) {
    for (const auto& [option, path] : {std::pair("--state-dir", &options.state_directory),
                                       std::pair("--run-dir", &options.run_directory)}) {
        if (!path->empty() && path->front() != '/') {
            return fail(ErrorCode::invalid_argument,
                        std::string(option) + ": '" + *path + "' is not an absolute path");
        }
    }
    if (options.config.empty()) {
        return {};
    }
    const auto file = kernel::read_file(options.config, kLongestConfig);
    const char* const why = file ? nullptr : ::strerrordesc_np(file.error().sys_errno());
    return file ? Status{}
                : fail(ErrorCode::invalid_argument,
                       "--config: the file '" + options.config + "' cannot be read: " +
                           (file.error().sys_errno() != 0 && why != nullptr
                                ? why
                                : file.error().message()));
}

int run(std::span<char* const> words) {
    const Result<CommandLine> line = parse_command_line(words);
    if (!line) {
        return refuse(line.error());
    }
    const CommandLine& options = *line;
    if (options.help || options.version) {
        (void)std::fputs(options.help ? usage().c_str() : LODGE_VERSION "\n", stdout);
        return 0;
    }
    const Log log;
    if (options.recover) {
        return recover(options, log);
    }
    if (const Status readable = check_paths(options); !readable) {
        return refuse(readable.error());
    }
    if (options.clean_host) {
        return clean(options, log);
    }
    if (const Status status = serve(options, log); !status) {
        log.write(LogLevel::error, status.error().to_string());
        return 1;
    }
    return 0;
}

} // namespace
} // namespace lodge::daemon

int main(int argc, char** argv) {
    if (!lodge::fill_standard_streams()) {
        return 1; // stderr may be closed
    }
    try {
        const std::span all(argv, static_cast<std::size_t>(argc));
        return lodge::daemon::run(all.subspan(std::min<std::size_t>(1, all.size())));
    } catch (const std::exception& error) { // of a library, or out of memory
        (void)std::fprintf(stderr, "lodged: %s\n", error.what());
        return 1;
    }
}
