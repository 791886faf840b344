#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/model/address.hpp"
#include "network/mac.hpp"

#include <cstdint>
#include <mutex>
#include <vector>

namespace lodge::network {

/// That `address` is now behind `owner`, for neighbours that remember another MAC address.
struct Announcement {
    model::IpAddress address;
    MacAddress owner{};
};
/// A gratuitous ARP request (RFC 5227) or an unsolicited neighbour advertisement (RFC 4861). Pure.
[[nodiscard]] std::vector<std::uint8_t> frame_of(const Announcement& announcement);

/// Sends frames out of links of the namespace that the calling thread is in at first. Its socket
/// stays open: closing one waits for a grace period of the kernel. Thread-safe.
class Announcer {
  public:
    /// Where the link is a bridge, out of each of its ports that is up.
    [[nodiscard]] Status send(int link, const std::vector<Announcement>& announcements);

  private:
    std::mutex mutex_; ///< the socket's making
    UniqueFd socket_;
};

} // namespace lodge::network
