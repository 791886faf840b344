#pragma once

#include "tests/support/lodge_host.hpp"

#include <string>
#include <vector>

namespace lodge::test {

/// The state of the daemon after an order.
enum class Halt : std::uint8_t { none, stopped, dead };

/// The points that a real daemon passes in its operations: tests/breakpoint.
class Breakpoints {
  public:
    /// All daemons that are spawned from now on report them.
    explicit Breakpoints(LodgeHost& host);

    /// The daemon gets the signal once, when it reaches the point.
    void order(int signal, const std::string& point) const;
    /// The points since the last forget(): each once, in the order in which the daemon first passed
    /// them.
    [[nodiscard]] std::vector<std::string> passed() const;
    /// Forgets the points. `operations`: the least number of operations that follow.
    void forget(unsigned operations = 1);
    /// Waits until that number of operations has begun and each one since forget() has ended, with
    /// its clean-up behind the answer. False: not in time.
    [[nodiscard]] bool await_end() const;
    /// Waits until the daemon has obeyed the order, or until all operations have ended without
    /// that.
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
