#pragma once

#include "tests/support/lodge_host.hpp"

#include <string>
#include <vector>

namespace lodge::test {

/// What the daemon came to at an ordered point.
enum class Halt : std::uint8_t { none, stopped, dead };

/// The points that a real daemon passes while it is at an operation: tests/breakpoint. One
/// operation at a time.
class Breakpoints {
  public:
    /// The daemons that are spawned from now on have them.
    explicit Breakpoints(LodgeHost& host);

    /// The daemon gets that signal when it comes to that point, once.
    void order(int signal, const std::string& point) const;
    /// The points since the last forget(), in their order.
    [[nodiscard]] std::vector<std::string> passed() const;
    void forget() const;
    /// Waits until an operation has begun since forget() and each that has is over, what it does
    /// behind its answer too. False: not in time.
    [[nodiscard]] bool await_end() const;
    /// Waits until the daemon has obeyed the order, or all is over without.
    [[nodiscard]] Halt await_halt() const;

  private:
    [[nodiscard]] bool is_over() const;
    [[nodiscard]] Halt halted() const;

    LodgeHost& host_;
    std::string directory_;
};

} // namespace lodge::test
