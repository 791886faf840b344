#pragma once

#include <memory>
#include <string>

#include <unistd.h>

namespace lodge::daemon {

enum class LogLevel { error = 3, warning = 4, info = 6 }; ///< as in syslog(3)

/// Writes lines to stderr: `level=info msg="..."`, with a time and no priority on a terminal, with
/// journald's priority prefix (sd-daemon(3)) when journald reads them. Thread-safe: one write(2)
/// per line. A reader that does not read delays nobody for long: after a fifth of a second the line
/// is lost, and so are further lines until there is room again; then a line reports their number.
/// Copies write to the same log.
class Log {
  public:
    explicit Log(int fd = STDERR_FILENO);
    void write(LogLevel level, const std::string& message) const;

  private:
    class Sink;
    [[nodiscard]] std::string line_of(LogLevel level, const std::string& message) const;

    bool journal_ = false;
    std::shared_ptr<Sink> sink_;
};

} // namespace lodge::daemon
