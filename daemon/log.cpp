#include "daemon/log.hpp"

#include "lib/base/printable.hpp"
#include "lib/kernel/fs.hpp"

#include <array>
#include <cstdlib>
#include <ctime>

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

// A line of the log stays one line, whatever a tenant's names hold.
std::string quoted(const std::string& message) {
    std::string text = "\"";
    for (const char c : printable(message, "\n\t")) { // programs say more than a line
        if (c == '"' || c == '\\') {
            text += '\\';
        }
        text += c == '\n' || c == '\t' ? ' ' : c;
    }
    return text + "\"";
}

} // namespace

// systemd.exec(5): set when stderr is connected to the journal.
Log::Log()
    : journal_(std::getenv("JOURNAL_STREAM") != nullptr) {
} // NOLINT(concurrency-mt-unsafe): at start

void Log::write(LogLevel level, const std::string& message) const {
    std::string line =
        journal_ ? "<" + std::to_string(static_cast<int>(level)) + ">" : "time=" + now() + " ";
    line += std::string("level=") + name_of(level) + " msg=" + quoted(message) + "\n";
    (void)kernel::write_all(STDERR_FILENO, line); // a full or closed log must not stop the daemon
}

} // namespace lodge::daemon
