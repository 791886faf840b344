#pragma once

#include "lib/base/clock.hpp"

#include <algorithm>
#include <chrono>

namespace lodge {

/// Pauses between the attempts of an act that fails repeatedly. Each pause is twice as long as the
/// one before, up to half a minute.
class Backoff {
  public:
    using Pause = std::chrono::milliseconds;
    static constexpr Pause kFirst{500};
    static constexpr Pause kLongest{30'000};

    explicit Backoff(Pause first = kFirst) : first_(first) {}

    void fail() {
        pause_ = pause_ == Pause::zero() ? first_ : std::min(pause_ * 2, kLongest);
        until_ = Deadline::after(pause_);
    }
    void succeed() {
        pause_ = Pause::zero();
        until_ = Deadline::after(pause_);
    }
    [[nodiscard]] bool waits() const { return !until_.expired(); }
    /// The end of the pause, which may be over.
    [[nodiscard]] Deadline until() const { return until_; }

  private:
    Pause first_;
    Pause pause_ = Pause::zero();
    Deadline until_ = Deadline::after(Pause::zero());
};

} // namespace lodge
