#pragma once

#include <string>

namespace lodge::daemon {

enum class LogLevel { error = 3, warning = 4, info = 6 }; ///< as in syslog(3)

/// Lines on stderr: `level=info msg="..."`, with a time and no priority on a terminal, with
/// journald's priority prefix (sd-daemon(3)) when it reads them. Thread-safe: one write(2) a line.
class Log {
  public:
    Log();
    void write(LogLevel level, const std::string& message) const;

  private:
    bool journal_ = false;
};

} // namespace lodge::daemon
