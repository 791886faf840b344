#pragma once

#include "lib/base/clock.hpp"

#include <algorithm>
#include <chrono>

namespace lodge::daemon {

/// Pauses after what fails again and again: half a second, then twice as long each time, up to half
/// a minute.
class Backoff {
  public:
    void fail() {
        pause_ = pause_ == Pause::zero() ? kFirst : std::min(pause_ * 2, kLongest);
        until_ = Deadline::after(pause_);
    }
    void succeed() {
        pause_ = Pause::zero();
        until_ = Deadline::after(pause_);
    }
    [[nodiscard]] bool waits() const { return !until_.expired(); }
    [[nodiscard]] Deadline until() const { return until_; }

  private:
    using Pause = std::chrono::milliseconds;
    static constexpr Pause kFirst{500};
    static constexpr Pause kLongest{30'000};
    Pause pause_ = Pause::zero();
    Deadline until_ = Deadline::after(Pause::zero());
};

} // namespace lodge::daemon
