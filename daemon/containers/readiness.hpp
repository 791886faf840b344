#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/model/address.hpp"

#include <chrono>

namespace lodge::daemon {

/// Connects to port 22 of an address until an SSH server there sends its greeting.
class SshKnock {
  public:
    explicit SshKnock(const model::IpAddress& address) : address_(address) {}
    /// Whether the greeting came; continues the connection attempt under way, or begins another.
    /// Takes `span`, or less when the answer comes.
    [[nodiscard]] bool answered_within(std::chrono::milliseconds span);

  private:
    model::IpAddress address_;
    UniqueFd socket_; ///< of the attempt under way
    Deadline patience_ = Deadline::after(std::chrono::milliseconds::zero()); ///< of the attempt
};

} // namespace lodge::daemon
