#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/model/address.hpp"

#include <chrono>

namespace lodge::daemon {

/// Knocks at port 22 of an address until an SSH server there sends its greeting.
class SshKnock {
  public:
    explicit SshKnock(const model::IpAddress& address) : address_(address) {}
    /// Whether it has; goes on with the knock under way, or begins another. Takes `span`, or less
    /// when the answer comes.
    [[nodiscard]] bool answered_within(std::chrono::milliseconds span);

  private:
    model::IpAddress address_;
    UniqueFd socket_; ///< of the knock under way
    Deadline patience_ = Deadline::after(std::chrono::milliseconds::zero()); ///< with it
};

} // namespace lodge::daemon
