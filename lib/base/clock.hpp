#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <ctime>

namespace lodge {

/// A point on CLOCK_MONOTONIC by which an act must end. Every wait in Lodge has one.
class Deadline {
  public:
    using Clock = std::chrono::steady_clock;

    static Deadline after(Clock::duration span) { return Deadline(Clock::now() + span); }
    /// A century. Not the largest time, because a sum with that overflows.
    static Deadline never() { return after(std::chrono::hours(24) * 36500); }

    /// The earlier deadline is less.
    auto operator<=>(const Deadline&) const = default;

    [[nodiscard]] bool expired() const { return at_ <= Clock::now(); }
    /// Time left, never negative.
    [[nodiscard]] Clock::duration left() const {
        const auto now = Clock::now();
        return at_ <= now ? Clock::duration::zero() : at_ - now;
    }
    /// For poll(2): milliseconds left rounded up, -1 for never.
    [[nodiscard]] int poll_timeout() const {
        if (left() > std::chrono::hours(24) * 18250) {
            return -1;
        }
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left()).count();
        constexpr auto kMost = std::chrono::milliseconds(std::chrono::hours(24)).count();
        return static_cast<int>(ms < kMost ? ms : kMost);
    }

  private:
    explicit Deadline(Clock::time_point at) : at_(at) {}
    Clock::time_point at_;
};

/// Milliseconds since 1970 by the host's wall clock, which may be wrong.
inline std::int64_t unix_milliseconds() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Milliseconds on CLOCK_BOOTTIME: the time since the host booted, including its sleep. For times
/// that other processes of this boot read, for example in rows of the database. Nothing sets this
/// clock (man 2 clock_gettime).
[[nodiscard]] inline std::int64_t boottime_ms() {
    timespec now{};
    (void)::clock_gettime(CLOCK_BOOTTIME, &now); // fails only for an unknown clock
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

} // namespace lodge
