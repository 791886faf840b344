#include "tests/guest/terminal.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace guest {

namespace {

void say(const std::string& text) {
    (void)!::write(STDOUT_FILENO, text.data(), text.size());
}

void say_size() {
    winsize size{};
    (void)::ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    say("size " + std::to_string(size.ws_row) + " " + std::to_string(size.ws_col) + "\n");
}

// In the foreground, so that Ctrl-C reaches it and not us.
void run_in_foreground(std::vector<std::string> words) {
    words.insert(words.begin(), "/bin/guest");
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        (void)::setpgid(0, 0);
        (void)::tcsetpgrp(STDIN_FILENO, ::getpid());
        (void)::signal(SIGTTOU, SIG_DFL);
        (void)::execv(argv[0], argv.data());
        ::_exit(127);
    }
    int status = 0;
    (void)::waitpid(child, &status, 0);
    (void)::tcsetpgrp(STDIN_FILENO, ::getpgrp());
    say(WIFEXITED(status) ? "exit " + std::to_string(WEXITSTATUS(status)) + "\n"
                          : "signal " + std::to_string(WTERMSIG(status)) + "\n");
}

} // namespace

int run_shell() {
    (void)::signal(SIGTTOU, SIG_IGN); // tcsetpgrp from the background, see tcsetpgrp(3)
    std::array<char, 256> line{};
    while (true) {
        say("$ ");
        const ssize_t size = ::read(STDIN_FILENO, line.data(), line.size());
        if (size <= 0) {
            return 0;
        }
        std::istringstream text(std::string(line.data(), static_cast<std::size_t>(size)));
        std::vector<std::string> words;
        for (std::string word; text >> word;) {
            words.push_back(word);
        }
        if (words.size() == 2 && words[0] == "exit") {
            return std::atoi(words[1].c_str());
        }
        if (!words.empty()) {
            run_in_foreground(std::move(words));
        }
    }
}

int run_watch_size(const std::vector<std::string>& arguments) {
    sigset_t signals;
    (void)::sigemptyset(&signals);
    (void)::sigaddset(&signals, SIGWINCH);
    (void)::sigprocmask(SIG_BLOCK, &signals, nullptr);
    say_size();
    for (int left = std::atoi(arguments.at(0).c_str()); left > 0; --left) {
        int number = 0;
        (void)::sigwait(&signals, &number);
        say_size();
    }
    return 0;
}

} // namespace guest
