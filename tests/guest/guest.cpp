// A whole userland in one static program: init and every command that tests run inside a container.
// As a process's first argument says: guest COMMAND ARGUMENTS...; called as init, it is init.
#include "tests/guest/compat.hpp"
#include "tests/guest/hang.hpp"
#include "tests/guest/pools.hpp"
#include "tests/guest/settings.hpp"
#include "tests/guest/terminal.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Arguments = std::vector<std::string>;

int complain(const std::string& what) {
    std::fprintf(stderr, "guest: %s: %s\n", what.c_str(), std::strerror(errno));
    return 1;
}

void say(const std::string& line) {
    (void)!::write(STDOUT_FILENO, (line + "\n").c_str(), line.size() + 1);
}

[[noreturn]] void eat_memory() {
    constexpr std::size_t kBite = std::size_t{1} << 20;
    for (;;) {
        if (void* bite =
                ::mmap(nullptr, kBite, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            bite != MAP_FAILED) {
            std::memset(bite, 1, kBite);
        }
    }
}

int act_on_signal(int number) {
    const bool halt = number == SIGRTMIN + 3 || number == SIGPWR;
    if (halt && ::access("/stubborn", F_OK) == 0) {
        say("guest: I will not");
    } else if (halt) {
        say("guest: power off");
        (void)::reboot(RB_POWER_OFF);
    } else if (number == SIGINT) {
        say("guest: reboot");
        (void)::reboot(RB_AUTOBOOT);
    } else if (number == SIGTERM) {
        eat_memory();
    } else if (number == SIGUSR1) {
        ::_exit(7);
    } else if (number == SIGUSR2) {
        (void)::signal(SIGSEGV, SIG_DFL);
        volatile int* nowhere = nullptr;
        *nowhere = 1; // NOLINT: crashes on purpose
    }
    return 0;
}

// Answers lines that are typed on the console, reaps, and obeys signals.
int run_init() {
    while (::access("/late", F_OK) == 0 && ::access("/awake", F_OK) != 0) {
        (void)::poll(nullptr, 0, 10); // an init that is not ready to hear of signals
    }
    sigset_t signals;
    (void)::sigemptyset(&signals);
    for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPWR, SIGRTMIN + 3}) {
        (void)::sigaddset(&signals, number);
    }
    (void)::sigprocmask(SIG_BLOCK, &signals, nullptr);
    const int signal_fd = ::signalfd(-1, &signals, SFD_CLOEXEC);
    say("guest: up");
    std::array<pollfd, 2> waits{{{signal_fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    while (::poll(waits.data(), waits.size(), -1) >= 0 || errno == EINTR) {
        if ((waits[0].revents & POLLIN) != 0) {
            signalfd_siginfo info{};
            if (::read(signal_fd, &info, sizeof info) == sizeof info) {
                (void)act_on_signal(static_cast<int>(info.ssi_signo));
            }
            while (::waitpid(-1, nullptr, WNOHANG) > 0) {
            }
        }
        if ((waits[1].revents & POLLIN) != 0) {
            std::array<char, 256> line{};
            const ssize_t size = ::read(STDIN_FILENO, line.data(), line.size());
            if (size > 0) {
                say("guest: heard " + std::string(line.data(), static_cast<std::size_t>(size)));
            }
        } else if (waits[1].revents != 0) {
            waits[1].fd = -1;
        }
    }
    return complain("poll");
}

int run_exit(const Arguments& arguments) {
    return std::atoi(arguments.at(0).c_str());
}

int run_echo(const Arguments& arguments) {
    std::string line;
    for (const std::string& word : arguments) {
        line += (line.empty() ? "" : " ") + word;
    }
    say(line);
    return 0;
}

int run_words(const Arguments& arguments) {
    for (const std::string& word : arguments) {
        (void)!::write(STDOUT_FILENO, word.c_str(), word.size() + 1);
    }
    return 0;
}

int run_say_both(const Arguments& arguments) {
    say(arguments.at(0));
    const std::string line = arguments.at(1) + "\n";
    return ::write(STDERR_FILENO, line.data(), line.size()) > 0 ? 0 : 1;
}

int copy_to_stdout(int fd) {
    std::array<char, 65536> buffer{};
    ssize_t size = 0;
    while ((size = ::read(fd, buffer.data(), buffer.size())) > 0) {
        for (ssize_t at = 0; at < size;) {
            const ssize_t written =
                ::write(STDOUT_FILENO, buffer.data() + at, static_cast<std::size_t>(size - at));
            if (written < 0) {
                return complain("write");
            }
            at += written;
        }
    }
    return size == 0 ? 0 : complain("read");
}

int run_cat(const Arguments& arguments) {
    if (arguments.empty()) {
        return copy_to_stdout(STDIN_FILENO);
    }
    const int fd = ::open(arguments[0].c_str(), O_RDONLY | O_CLOEXEC);
    return fd < 0 ? complain(arguments[0]) : copy_to_stdout(fd);
}

// Copies all of stdin, then ends with this code.
int run_cat_then_exit(const Arguments& arguments) {
    return copy_to_stdout(STDIN_FILENO) == 0 ? std::atoi(arguments.at(0).c_str()) : 1;
}

int run_env(const Arguments&) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
        say(*entry);
    }
    return 0;
}

int run_id(const Arguments&) {
    std::array<gid_t, 64> groups{};
    const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    std::string line = std::to_string(::getuid()) + " " + std::to_string(::getgid());
    for (int i = 0; i < count; ++i) {
        line += (i == 0 ? " " : ",") + std::to_string(groups[static_cast<std::size_t>(i)]);
    }
    say(line);
    return 0;
}

int run_pwd(const Arguments&) {
    std::array<char, 4096> path{};
    say(::getcwd(path.data(), path.size()) != nullptr ? path.data() : "?");
    return 0;
}

int run_tty(const Arguments&) {
    std::array<char, 256> name{};
    if (::ttyname_r(STDIN_FILENO, name.data(), name.size()) != 0) {
        say("not a tty");
        return 1;
    }
    say(name.data());
    return 0;
}

// Says that it is ready, then which signal came.
int run_await_signal(const Arguments&) {
    sigset_t signals;
    (void)::sigemptyset(&signals);
    for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGWINCH}) {
        (void)::sigaddset(&signals, number);
    }
    (void)::sigprocmask(SIG_BLOCK, &signals, nullptr);
    say("ready");
    int number = 0;
    (void)::sigwait(&signals, &number);
    if (const int fd = ::open("/signalled", O_WRONLY | O_CREAT | O_CLOEXEC, 0644); fd >= 0) {
        const std::string text = std::to_string(number);
        (void)!::write(fd, text.data(), text.size());
    }
    say("signal " + std::to_string(number));
    return number;
}

int run_write(const Arguments& arguments) {
    const int fd = ::open(arguments.at(0).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ::write(fd, arguments.at(1).data(), arguments.at(1).size()) < 0) {
        return complain(arguments[0]);
    }
    return 0;
}

// What comes on stdin.
int run_write_input(const Arguments& arguments) {
    const int fd = ::open(arguments.at(0).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ::dup2(fd, STDOUT_FILENO) < 0) {
        return complain("open");
    }
    return run_cat({});
}

int run_list(const Arguments& arguments) {
    DIR* directory = ::opendir(arguments.at(0).c_str());
    if (directory == nullptr) {
        return complain(arguments[0]);
    }
    while (const dirent* entry =
               ::readdir(directory)) { // NOLINT(concurrency-mt-unsafe): one thread
        say(entry->d_name);
    }
    (void)::closedir(directory);
    return 0;
}

int run_kill_self(const Arguments& arguments) {
    (void)::raise(std::atoi(arguments.at(0).c_str()));
    return 0;
}

// As a tenant's `kill 1` does.
// A process that holds the streams of a command which has ended.
int run_leave_behind(const Arguments& arguments) {
    const pid_t child = ::fork();
    if (child == 0) {
        (void)::setsid();
        while (!arguments.empty() && ::write(STDOUT_FILENO, "late\n", 5) > 0) {
        }
        (void)::pause();
    }
    return child < 0 ? complain("fork") : 0;
}

int run_eat_memory(const Arguments&) {
    eat_memory();
}

int run_signal_init(const Arguments& arguments) {
    return ::kill(1, std::atoi(arguments.at(0).c_str())) == 0 ? 0 : complain("kill");
}

int run_sleep(const Arguments& arguments) {
    (void)::sleep(static_cast<unsigned>(std::atoi(arguments.at(0).c_str())));
    return 0;
}

int run_mount(const Arguments& arguments) {
    return ::mount(arguments.at(0).c_str(),
                   arguments.at(1).c_str(),
                   arguments.at(2).c_str(),
                   0,
                   nullptr) == 0
               ? 0
               : complain("mount");
}

int run_unmount(const Arguments& arguments) {
    return ::umount2(arguments.at(0).c_str(), MNT_DETACH) == 0 ? 0 : complain("umount2");
}

int run_stat(const Arguments& arguments) {
    struct stat info{};
    if (::lstat(arguments.at(0).c_str(), &info) != 0) {
        return complain(arguments[0]);
    }
    std::array<char, 128> line{};
    std::snprintf(line.data(), line.size(), "%u %u %o", info.st_uid, info.st_gid, info.st_mode);
    say(line.data());
    return 0;
}

int run_chown(const Arguments& arguments) {
    const auto id = static_cast<uid_t>(std::atoi(arguments.at(1).c_str()));
    return ::lchown(arguments.at(0).c_str(), id, id) == 0 ? 0 : complain(arguments[0]);
}

int run_mknod(const Arguments& arguments) {
    return ::mknod(arguments.at(0).c_str(), S_IFCHR | 0666, 0x103) == 0 ? 0
                                                                        : complain(arguments[0]);
}

int run_link(const Arguments& arguments) {
    return ::symlink(arguments.at(0).c_str(), arguments.at(1).c_str()) == 0
               ? 0
               : complain(arguments[1]);
}

int run_rename(const Arguments& arguments) {
    return ::rename(arguments.at(0).c_str(), arguments.at(1).c_str()) == 0 ? 0
                                                                           : complain(arguments[1]);
}

int run_mkdir(const Arguments& arguments) {
    return ::mkdir(arguments.at(0).c_str(), 0755) == 0 ? 0 : complain(arguments[0]);
}

int run_remove(const Arguments& arguments) {
    return ::unlink(arguments.at(0).c_str()) == 0 ? 0 : complain(arguments[0]);
}

int run_fifo(const Arguments& arguments) {
    return ::mkfifo(arguments.at(0).c_str(), 0666) == 0 ? 0 : complain(arguments[0]);
}

int run_remount_plain(const Arguments& arguments) {
    return ::mount(nullptr, arguments.at(0).c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0
               ? 0
               : complain("remount");
}

int run_hostname(const Arguments& arguments) {
    return ::sethostname(arguments.at(0).data(), arguments[0].size()) == 0
               ? 0
               : complain("sethostname");
}

// For as long as asked: looks at every other process for a way out of the container, as a tenant
// does who waits for an exec session to come by. Says what it got hold of.
int run_prowl(const Arguments& arguments) {
    struct stat own{};
    (void)::stat("/proc/self/exe", &own);
    struct stat own_root{};
    (void)::stat("/", &own_root);
    timespec now{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &now);
    const time_t end = now.tv_sec + std::atoi(arguments.at(0).c_str());
    for (; now.tv_sec < end; (void)::clock_gettime(CLOCK_MONOTONIC, &now)) {
        for (int pid = 2; pid < 400; ++pid) {
            if (pid == ::getpid()) {
                continue;
            }
            const std::string base = "/proc/" + std::to_string(pid);
            struct stat info{};
            if (::stat((base + "/exe").c_str(), &info) == 0 &&
                (info.st_dev != own.st_dev || info.st_ino != own.st_ino)) {
                say("saw a foreign program");
                if (::open((base + "/exe").c_str(), O_RDWR | O_CLOEXEC) >= 0) {
                    say("opened a foreign program for writing");
                }
            }
            if (::stat((base + "/root").c_str(), &info) == 0 &&
                (info.st_dev != own_root.st_dev || info.st_ino != own_root.st_ino)) {
                say("saw a foreign root");
            }
            for (int fd = 3; fd < 16; ++fd) {
                if (::stat((base + "/fd/" + std::to_string(fd)).c_str(), &info) == 0 &&
                    S_ISDIR(info.st_mode) && info.st_dev != own_root.st_dev) {
                    say("saw a foreign directory");
                }
            }
        }
    }
    return 0;
}

// Writes so many bytes, in blocks of 4096 or of the given size.
int run_flood(const Arguments& arguments) {
    const int fd = ::open(arguments.at(0).c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
    const std::string block(
        arguments.size() > 2 ? static_cast<std::size_t>(std::atoi(arguments[2].c_str())) : 4096,
        'x');
    for (long left = std::atol(arguments.at(1).c_str()); left > 0;) {
        const ssize_t size = ::write(fd, block.data(), block.size());
        if (size < 0) {
            return complain(arguments[0]);
        }
        left -= size;
    }
    return 0;
}

// A container inside the container: namespaces of its own with a fresh proc.
int run_nest(const Arguments&) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) != 0) {
        return complain("unshare");
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0
                    ? 0
                    : complain("mount proc"));
    }
    int status = 0;
    (void)::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

struct Command {
    std::string_view name;
    int (*run)(const Arguments&);
    std::size_t arguments;
};

constexpr std::array kCommands{
    Command{"true", [](const Arguments&) { return 0; }, 0},
    Command{"exit", run_exit, 1},
    Command{"echo", run_echo, 0},
    Command{"words", run_words, 0},
    Command{"say-both", run_say_both, 2},
    Command{"cat", run_cat, 0},
    Command{"env", run_env, 0},
    Command{"id", run_id, 0},
    Command{"pwd", run_pwd, 0},
    Command{"tty", run_tty, 0},
    Command{"await-signal", run_await_signal, 0},
    Command{"write", run_write, 2},
    Command{"write-input", run_write_input, 1},
    Command{"list", run_list, 1},
    Command{"kill-self", run_kill_self, 1},
    Command{"leave-behind", run_leave_behind, 0},
    Command{"eat-memory", run_eat_memory, 0},
    Command{"signal-init", run_signal_init, 1},
    Command{"sleep", run_sleep, 1},
    Command{"mount", run_mount, 3},
    Command{"unmount", run_unmount, 1},
    Command{"stat", run_stat, 1},
    Command{"chown", run_chown, 2},
    Command{"mknod", run_mknod, 1},
    Command{"link", run_link, 2},
    Command{"rename", run_rename, 2},
    Command{"mkdir", run_mkdir, 1},
    Command{"remove", run_remove, 1},
    Command{"fifo", run_fifo, 1},
    Command{"remount-plain", run_remount_plain, 1},
    Command{"hostname", run_hostname, 1},
    Command{"prowl", run_prowl, 1},
    Command{"nest", run_nest, 0},
    Command{"flood", run_flood, 2},
    Command{"stat-32", guest::run_stat_32, 1},
    Command{"watch-size", guest::run_watch_size, 1},
    Command{"cat-then-exit", run_cat_then_exit, 1},
    Command{"hang-in-fuse", guest::run_hang_in_fuse, 1},
    Command{"hang-in-vfork", guest::run_hang_in_vfork, 0},
    Command{"list-settings", guest::run_list_settings, 1},
    Command{"search", guest::run_search, 2},
    Command{"change-settings", guest::run_change_settings, 1},
    Command{"take-terminals", guest::run_take_terminals, 1},
    Command{"take-aio", guest::run_take_aio, 1},
    Command{"take-connections", guest::run_take_connections, 3},
    Command{"trace-me", guest::run_trace_me, 2},
};

} // namespace

int main(int argc, char** argv) {
    if (argc == 1 && ::getpid() == 1) {
        return run_init();
    }
    // As a login shell: "-guest".
    if (argc == 1 && argv[0][0] == '-') {
        say("login shell");
        (void)run_pwd({});
        return ::isatty(STDIN_FILENO) == 1 ? guest::run_shell() : 0;
    }
    const std::string_view called = argv[0];
    const std::string_view own = called.substr(called.rfind('/') + 1); // a link may be called "cat"
    const bool linked = std::any_of(
        kCommands.begin(), kCommands.end(), [own](const Command& one) { return one.name == own; });
    const Arguments words(argv + (linked || argc == 1 ? 0 : 1), argv + argc);
    const std::string_view name = linked ? own : std::string_view(words.front());
    const Arguments arguments(words.begin() + 1, words.end());
    for (const Command& command : kCommands) {
        if (command.name == name && arguments.size() >= command.arguments) {
            return command.run(arguments);
        }
    }
    (void)std::fputs("guest: no such command\n", stderr);
    return 64;
}
