#include "daemon/log.hpp"

#include "lib/base/clock.hpp"
#include "lib/base/printable.hpp"
#include "lib/base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

const char* name_of(LogLevel level) {
    switch (level) {
    case LogLevel::error:
        return "error";
    case LogLevel::warning:
        return "warning";
    case LogLevel::info:
        break;
    }
    return "info";
}

std::string now() {
    const std::time_t seconds = ::time(nullptr);
    std::tm parts{};
    std::array<char, 32> text{};
    (void)::gmtime_r(&seconds, &parts);
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// Keeps an entry on one line, also with a name that a tenant chose.
std::string quoted(const std::string& message) {
    std::string text = "\"";
    for (const char c : printable(message, "\n\t")) { // programs write several lines
        if (c == '"' || c == '\\') {
            text += '\\';
        }
        text += c == '\n' || c == '\t' ? ' ' : c;
    }
    return text + "\"";
}

} // namespace

// Opens the terminal or pipe again: O_NONBLOCK on the given descriptor would apply to all its
// users, but a new file description has its own flags. A socket cannot be opened again, but takes
// MSG_DONTWAIT with each message.
class Log::Sink {
  public:
    explicit Sink(int fd)
        : anew_(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(),
                       O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)),
          fd_(anew_ ? anew_.get() : fd) {}

    /// True: all bytes are written. False: the reader takes no more.
    bool put(std::string_view text, const Deadline& deadline) const {
        while (!text.empty()) {
            ssize_t size = ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (size < 0 && errno == ENOTSOCK) {
                size = ::write(fd_, text.data(), text.size());
            }
            if (size > 0) {
                text.remove_prefix(static_cast<std::size_t>(size));
                continue;
            }
            pollfd wait{.fd = fd_, .events = POLLOUT, .revents = 0};
            const bool full = size < 0 && (errno == EAGAIN || errno == EINTR);
            if (!full || ::poll(&wait, 1, deadline.poll_timeout()) == 0) {
                return false;
            }
        }
        return true;
    }

    std::mutex lock;      ///< protects `lost`, and keeps lines whole
    std::size_t lost = 0; ///< lines since the last written one

  private:
    UniqueFd anew_;
    int fd_;
};

// systemd.exec(5): set when stderr is connected to the journal.
Log::Log(int fd)
    : journal_(std::getenv("JOURNAL_STREAM") != nullptr), // NOLINT(concurrency-mt-unsafe): at start
      sink_(std::make_shared<Sink>(fd)) {}

std::string Log::line_of(LogLevel level, const std::string& message) const {
    return (journal_ ? "<" + std::to_string(static_cast<int>(level)) + ">"
                     : "time=" + now() + " ") +
           "level=" + name_of(level) + " msg=" + quoted(message) + "\n";
}

void Log::write(LogLevel level, const std::string& message) const {
    constexpr auto kPatience = std::chrono::milliseconds(200);
    const std::string line = line_of(level, message);
    const std::lock_guard guard(sink_->lock);
    if (sink_->lost > 0) { // it was full: do not wait again
        const std::string told =
            line_of(LogLevel::warning,
                    std::to_string(sink_->lost) + " lines are not here: nobody took them");
        if (!sink_->put(told, Deadline::after(Deadline::Clock::duration::zero()))) {
            ++sink_->lost;
            return;
        }
        sink_->lost = 0;
    }
    if (!sink_->put(line, Deadline::after(kPatience))) {
        ++sink_->lost;
    }
}

} // namespace lodge::daemon
