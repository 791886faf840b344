#pragma once

#include "tests/support/lodge_host.hpp"

#include <string>
#include <vector>

namespace lodge::test {

/// What the daemon came to at an ordered point.
enum class Halt : std::uint8_t { none, stopped, dead };

/// The points that a real daemon passes while it is at its operations: tests/breakpoint.
class Breakpoints {
  public:
    /// The daemons that are spawned from now on have them.
    explicit Breakpoints(LodgeHost& host);

    /// The daemon gets that signal when it comes to that point, once.
    void order(int signal, const std::string& point) const;
    /// The points since the last forget(), each once, in the order of the first time.
    [[nodiscard]] std::vector<std::string> passed() const;
    /// So many operations are to come, or more.
    void forget(unsigned operations = 1);
    /// Waits until those have begun and each that has since forget() is over, what it does behind
    /// its answer too. False: not in time.
    [[nodiscard]] bool await_end() const;
    /// Waits until the daemon has obeyed the order, or all is over without.
    [[nodiscard]] Halt await_halt() const;

  private:
    [[nodiscard]] bool is_over() const;
    [[nodiscard]] Halt halted() const;
    [[nodiscard]] std::vector<std::string> lines() const;

    LodgeHost& host_;
    std::string directory_;
    unsigned operations_ = 1;
};

} // namespace lodge::test
