#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace lodge::daemon {

/// Bounds the number of requests that wait for something that may take hours. Each holds a thread
/// of the server; the bound leaves threads to other requests. Thread-safe.
class WaitingRoom {
  public:
    explicit WaitingRoom(std::size_t seats) : seats_(seats) {}

    /// A seat; its destructor frees it. Pre: the room outlives it.
    struct Leave {
        void operator()(std::atomic<std::size_t>* taken) const { --*taken; }
    };
    using Seat = std::unique_ptr<std::atomic<std::size_t>, Leave>;
    /// Null when all seats are taken.
    [[nodiscard]] Seat enter() {
        std::size_t taken = taken_.load();
        while (taken < seats_) {
            if (taken_.compare_exchange_weak(taken, taken + 1)) {
                return Seat(&taken_);
            }
        }
        return nullptr;
    }

  private:
    const std::size_t seats_;
    std::atomic<std::size_t> taken_ = 0;
};

} // namespace lodge::daemon
