#pragma once

#include "lib/base/error.hpp"

#include <functional>
#include <mutex>
#include <set>
#include <string>

namespace lodge::test {

/// What happens to the call whose turn it is.
enum class Fault {
    none,
    fails,        ///< does nothing and says so
    fails_after,  ///< does its work, yet says that it failed
    crash_before, ///< the daemon dies before the call had its effect
    crash_after,  ///< and right after it
};
[[nodiscard]] const char* to_string(Fault fault);
[[nodiscard]] inline bool is_crash(Fault fault) {
    return fault == Fault::crash_before || fault == Fault::crash_after;
}

/// What exists on the fake host, by name ("group ct-UUID"): what the kernel would hold.
using Things = std::set<std::string>;

/// The fake host. It outlives daemons: what a killed one leaves is saved at `place` and taken up by
/// the process that waits for it. Every call of a driver and of the database goes through call().
/// Thread-safe.
class World {
  public:
    static constexpr int kCrashed = 77; ///< exit code of a process whose daemon was to die

    explicit World(std::string place, Things things = {})
        : place_(std::move(place)), things_(std::move(things)) {}
    [[nodiscard]] const std::string& place() const { return place_; }

    /// The `at`-th call from here on has this fault.
    void arm(Fault fault, int at);
    /// No call fails any more. What fired() says stays.
    void disarm();
    /// Name of the call that the fault hit, or empty.
    [[nodiscard]] std::string fired();
    /// `act` runs once, in the caller's thread, right before the next call of that name.
    void before(const std::string& name, std::function<void()> act);

    using Effect = std::function<Status(Things& things)>;
    /// One counted call. `effect` is all or nothing.
    [[nodiscard]] Status call(const std::string& name, const Effect& effect);
    /// Something that nobody asked for: not counted and never hit.
    void happen(const std::function<void(Things& things)>& effect);
    [[nodiscard]] Things things();
    /// After a crash in another process: what it left.
    void load();

  private:
    [[noreturn]] void die();

    const std::string place_;
    std::mutex lock_; ///< protects all below
    Things things_;
    Fault fault_ = Fault::none;
    int left_ = 0; ///< calls until the fault
    std::string fired_;
    std::string awaited_;
    std::function<void()> act_;
};

} // namespace lodge::test
