#pragma once

#include "lib/base/error.hpp"

#include <functional>
#include <mutex>
#include <set>
#include <string>

namespace lodge::test {

/// The fault of the armed call.
enum class Fault {
    none,
    fails,        ///< has no effect and returns an error
    fails_after,  ///< has its effect, but returns an error
    crash_before, ///< the daemon dies before the call had its effect
    crash_after,  ///< the daemon dies directly after the effect
};
[[nodiscard]] const char* to_string(Fault fault);
[[nodiscard]] inline bool is_crash(Fault fault) {
    return fault == Fault::crash_before || fault == Fault::crash_after;
}

/// The objects of the fake host, by name ("group ct-UUID"), as the kernel would hold them.
using Things = std::set<std::string>;

/// The fake host. It outlives daemons: the objects that a killed one leaves are saved at `place`
/// and loaded by the process that waits for it. Every call of a driver and of the database goes
/// through call(). Thread-safe.
class World {
  public:
    static constexpr int kCrashed = 77; ///< exit code of a process whose daemon was to die

    explicit World(std::string place, Things things = {})
        : place_(std::move(place)), things_(std::move(things)) {}
    [[nodiscard]] const std::string& place() const { return place_; }

    /// The `at`-th call from here on has this fault.
    void arm(Fault fault, int at);
    /// No call fails any more. Does not change fired().
    void disarm();
    /// Name of the call that the fault hit, or empty.
    [[nodiscard]] std::string fired();
    /// `act` runs once, in the caller's thread, right before the next call of that name.
    void before(const std::string& name, std::function<void()> act);

    using Effect = std::function<Status(Things& things)>;
    /// One counted call. `effect` is all or nothing.
    [[nodiscard]] Status call(const std::string& name, const Effect& effect);
    /// An event from outside: not counted, and never faulty.
    void happen(const std::function<void(Things& things)>& effect);
    [[nodiscard]] Things things();
    /// Loads the objects that a crash in another process left.
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
