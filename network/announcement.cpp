#include "network/announcement.hpp"

#include <array>
#include <cstddef>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

namespace lodge::network {

namespace {

using Frame = std::vector<std::uint8_t>;

void append(Frame& frame, const auto& bytes, std::size_t count) {
    frame.insert(frame.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
}

Frame ethernet(const MacAddress& to, const MacAddress& from, std::uint16_t type) {
    Frame frame(to.begin(), to.end());
    append(frame, from, from.size());
    frame.push_back(static_cast<std::uint8_t>(type >> 8));
    frame.push_back(static_cast<std::uint8_t>(type & 0xff));
    return frame;
}

// Both addresses of the packet are the one that is announced.
Frame gratuitous_arp(const Announcement& that) {
    constexpr std::array<std::uint8_t, 8> kEthernetIpv4Request{0, 1, 8, 0, ETH_ALEN, 4, 0, 1};
    constexpr MacAddress kAll{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    Frame frame = ethernet(kAll, that.owner, ETH_P_ARP);
    append(frame, kEthernetIpv4Request, kEthernetIpv4Request.size());
    append(frame, that.owner, that.owner.size());
    append(frame, that.address.bytes(), 4);
    append(frame, MacAddress{}, ETH_ALEN);
    append(frame, that.address.bytes(), 4);
    return frame;
}

// RFC 1071, over the pseudo header of RFC 8200 and the message.
std::uint16_t checksum(const Frame& source, const Frame& destination, const Frame& message) {
    constexpr std::uint32_t kIcmpv6 = 58;
    std::uint32_t sum = kIcmpv6 + static_cast<std::uint32_t>(message.size());
    for (const Frame* part : {&source, &destination, &message}) {
        for (std::size_t i = 0; i < part->size(); i += 2) { // each is of whole words
            sum += static_cast<std::uint32_t>((*part)[i] << 8 | (*part)[i + 1]);
        }
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~((sum & 0xffff) + (sum >> 16)));
}

Frame neighbour_advertisement(const Announcement& that) {
    constexpr std::uint8_t kAdvertisement = 136;
    constexpr std::uint8_t kOverride = 0x20;
    constexpr std::uint8_t kTargetLinkLayerAddress = 2;
    const Frame address(that.address.bytes().begin(), that.address.bytes().end());
    const Frame all_nodes{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    Frame message{kAdvertisement, 0, 0, 0, kOverride, 0, 0, 0};
    append(message, address, address.size());
    message.push_back(kTargetLinkLayerAddress);
    message.push_back(1); // in units of eight bytes
    append(message, that.owner, that.owner.size());
    const std::uint16_t sum = checksum(address, all_nodes, message);
    message[2] = static_cast<std::uint8_t>(sum >> 8);
    message[3] = static_cast<std::uint8_t>(sum & 0xff);

    constexpr MacAddress kAllNodes{0x33, 0x33, 0, 0, 0, 1};
    Frame frame = ethernet(kAllNodes, that.owner, ETH_P_IPV6);
    const std::array<std::uint8_t, 8> header{
        0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(message.size()), 58, 255};
    append(frame, header, header.size());
    append(frame, address, address.size());
    append(frame, all_nodes, all_nodes.size());
    append(frame, message, message.size());
    return frame;
}

} // namespace

std::vector<std::uint8_t> frame_of(const Announcement& announcement) {
    return announcement.address.is_v4() ? gratuitous_arp(announcement)
                                        : neighbour_advertisement(announcement);
}

Status Announcer::send(int link, const std::vector<Announcement>& announcements) {
    {
        const std::lock_guard guard(mutex_);
        if (!socket_) { // of no protocol: it receives nothing
            socket_ = UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        }
        if (!socket_) {
            return fail_errno("open a packet socket");
        }
    }
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_ifindex = link;
    where.sll_halen = ETH_ALEN;
    for (const Announcement& one : announcements) {
        const std::vector<std::uint8_t> frame = frame_of(one);
        if (::sendto(socket_.get(),
                     frame.data(),
                     frame.size(),
                     0,
                     reinterpret_cast<const sockaddr*>(&where),
                     sizeof where) < 0) {
            return fail_errno("announce the address", one.address.to_string());
        }
    }
    return {};
}

} // namespace lodge::network
