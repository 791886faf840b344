#include "lib/kernel/program.hpp"

#include "lib/base/unique_fd.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/memory_file.hpp"
#include "lib/kernel/pipe.hpp"
#include "lib/kernel/spawn.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lodge::kernel {

namespace {

constexpr std::size_t kMostOutput = std::size_t{1} << 20;
constexpr std::size_t kMostError = std::size_t{16} << 10;

Result<Pipe> make_output_pipe() {
    ASSIGN_OR_RETURN(Pipe pipe, make_pipe());
    if (::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) != 0) {
        return fail_errno("fcntl(O_NONBLOCK)");
    }
    return pipe;
}

Result<UniqueFd> open_input(const Program& program) {
    if (program.input_fd >= 0) {
        UniqueFd copy(::fcntl(program.input_fd, F_DUPFD_CLOEXEC, 3));
        if (!copy) {
            return fail_errno("fcntl(F_DUPFD_CLOEXEC)");
        }
        return copy;
    }
    if (program.input.empty()) {
        return open_file("/dev/null", O_RDONLY);
    }
    return make_memory_file("lodge-stdin", program.input);
}

std::vector<char*> c_strings(const std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (const std::string& text : strings) {
        pointers.push_back(
            const_cast<char*>(text.c_str())); // exec(3) lacks const, but does not write
    }
    pointers.push_back(nullptr);
    return pointers;
}

Result<pid_t> spawn(const Program& program, int input, int output, int error) {
    SpawnPlan plan;
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int rc = posix_spawn_file_actions_adddup2(&plan.actions, input, 0);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(&plan.actions, output, 1);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(&plan.actions, error, 2);
    rc = rc != 0 ? rc : posix_spawn_file_actions_addclosefrom_np(&plan.actions, 3);
    rc = rc != 0 ? rc : posix_spawnattr_setsigmask(&plan.attributes, &none);
    rc = rc != 0 ? rc : posix_spawnattr_setsigdefault(&plan.attributes, &all);
    rc = rc != 0 ? rc : posix_spawnattr_setpgroup(&plan.attributes, 0);
    rc = rc != 0 ? rc
                 : posix_spawnattr_setflags(&plan.attributes,
                                            POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                POSIX_SPAWN_SETPGROUP);
    if (rc != 0) {
        return fail_errno("posix_spawn_file_actions", program.path, rc);
    }
    std::vector<std::string> argv{program.path};
    argv.insert(argv.end(), program.arguments.begin(), program.arguments.end());
    std::vector<std::string> envp{std::string("PATH=") + kProgramPath, "LC_ALL=C.UTF-8"};
    envp.insert(envp.end(), program.environment.begin(), program.environment.end());
    // posix_spawnp(3) would search the daemon's own PATH, so we search the fixed PATH ourselves.
    std::vector<std::string> candidates;
    if (program.path.find('/') != std::string::npos) {
        candidates.push_back(program.path);
    } else {
        for (const char* directory : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
            candidates.push_back(directory + program.path);
        }
    }
    pid_t pid = -1;
    for (const std::string& candidate : candidates) {
        rc = posix_spawn(&pid,
                         candidate.c_str(),
                         &plan.actions,
                         &plan.attributes,
                         c_strings(argv).data(),
                         c_strings(envp).data());
        if (rc != ENOENT) {
            break;
        }
    }
    if (rc == ENOENT) {
        return fail(ErrorCode::unsupported,
                    "the program '" + program.path + "' is not installed (searched " +
                        kProgramPath + ")");
    }
    if (rc != 0) {
        return fail_errno("posix_spawn", program.path, rc);
    }
    return pid;
}

// Reads the available bytes; false at the end of the stream. The amount is bounded, so that a
// program that writes without end cannot hold us here. Keeps the beginning of stdout and the end of
// stderr.
bool drain(int fd, std::string& into, std::size_t most, bool keep_tail) {
    std::array<char, 8192> chunk{};
    constexpr int kMostChunks = 64; // more than a pipe holds (man 7 pipe: 64 KiB)
    for (int i = 0; i < kMostChunks; ++i) {
        const ssize_t size = ::read(fd, chunk.data(), chunk.size());
        if (size < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        if (size == 0) {
            return false;
        }
        const std::string_view text(chunk.data(), static_cast<std::size_t>(size));
        into.append(keep_tail ? text : text.substr(0, most - into.size()));
        if (into.size() > most) {
            into.erase(0, into.size() - most);
        }
    }
    return true;
}

struct Running {
    pid_t pid;
    UniqueFd pidfd;
    Pipe output;
    Pipe error;
};

// Returns when the program has exited (its pidfd is readable). It does not wait for descendants
// that keep the pipes open; the caller kills them.
Status follow(Running& running, const Program& program, ProgramOutput& result) {
    bool output_open = true;
    bool error_open = true;
    while (true) {
        std::array<pollfd, 4> waits{{{running.pidfd.get(), POLLIN, 0},
                                     {output_open ? running.output.reader.get() : -1, POLLIN, 0},
                                     {error_open ? running.error.reader.get() : -1, POLLIN, 0},
                                     {program.cancel_fd, POLLIN, 0}}};
        const int ready = ::poll(waits.data(), waits.size(), program.deadline.poll_timeout());
        if (ready < 0 && errno != EINTR) {
            return fail_errno("poll", program.path);
        }
        output_open =
            output_open &&
            drain(running.output.reader.get(), result.standard_output, kMostOutput, false);
        error_open = error_open &&
                     drain(running.error.reader.get(), result.standard_error, kMostError, true);
        if (ready > 0 && waits[3].revents != 0) {
            return fail(ErrorCode::cancelled, "'" + program.path + "' was cancelled");
        }
        if (ready > 0 && waits[0].revents != 0) {
            return {};
        }
        if (ready == 0 && program.deadline.expired()) {
            return fail(ErrorCode::timeout, "'" + program.path + "' did not end in time");
        }
    }
}

Status judge(const Program& program, int wait_status, const ProgramOutput& result) {
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
        return {};
    }
    std::string message = "'" + program.path + "' ";
    message += WIFEXITED(wait_status)
                   ? "exited with " + std::to_string(WEXITSTATUS(wait_status))
                   : "was ended by signal " + std::to_string(WTERMSIG(wait_status));
    std::string said = result.standard_error;
    while (!said.empty() && said.back() == '\n') {
        said.pop_back();
    }
    if (!said.empty()) {
        message += ": " + said;
    }
    return fail(ErrorCode::internal, std::move(message));
}

} // namespace

Result<ProgramOutput> run_program(const Program& program) {
    ASSIGN_OR_RETURN(const UniqueFd input, open_input(program));
    ASSIGN_OR_RETURN(Pipe output, make_output_pipe());
    ASSIGN_OR_RETURN(Pipe error, make_output_pipe());
    ASSIGN_OR_RETURN(const pid_t pid,
                     spawn(program, input.get(), output.writer.get(), error.writer.get()));
    output.writer.reset();
    error.writer.reset();
    Running running{pid,
                    UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
                    std::move(output),
                    std::move(error)};
    ProgramOutput result;
    Status status =
        running.pidfd ? follow(running, program, result) : Status(fail_errno("pidfd_open"));
    // Kills the program if it still runs, and in any case the other processes of its group. The pid
    // cannot be reused before waitpid(2) reaps the program. ESRCH: all processes ended by
    // themselves.
    (void)::kill(-pid, SIGKILL);
    int wait_status = 0;
    while (::waitpid(pid, &wait_status, 0) < 0) {
        if (errno != EINTR) {
            return fail_errno("waitpid", program.path);
        }
    }
    if (!status) {
        return std::unexpected<Error>(std::move(status).error());
    }
    (void)drain(running.output.reader.get(), result.standard_output, kMostOutput, false);
    (void)drain(running.error.reader.get(), result.standard_error, kMostError, true);
    if (program.judged && WIFEXITED(wait_status)) {
        result.exit_code = WEXITSTATUS(wait_status);
        return result;
    }
    RETURN_IF_ERROR(judge(program, wait_status, result));
    return result;
}

} // namespace lodge::kernel
