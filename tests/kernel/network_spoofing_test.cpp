#include "tests/support/network_lab.hpp"
#include "tests/support/patience.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace lodge::network {
namespace {

using test::Bytes;
using test::Frame;
using test::join;
using test::LabHost;

constexpr std::uint8_t kNoNextHeader = 59;
constexpr std::uint8_t kAnyProtocol = 253;

Bytes mark(char letter) {
    return test::text_bytes(std::string("mark:") + letter);
}

Bytes arp_frame(const Bytes& from,
                const Bytes& sender_mac,
                const std::string& sender,
                char letter) {
    return join({Bytes(6, 0xff),
                 from,
                 {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2},
                 sender_mac,
                 test::address_bytes(sender),
                 Bytes(6, 0),
                 {10, 99, 0, 3},
                 mark(letter)});
}

Bytes icmpv6(std::uint8_t type, const std::string& target, char letter) {
    return join({{type, 0, 0, 0, 0, 0, 0, 0}, test::address_bytes(target), mark(letter)});
}

class SpoofingTest : public test::NetworkLab {
  protected:
    void SetUp() override {
        NetworkLab::SetUp();
        add_host(2);
        add_host(3);
        own_ = test::mac_bytes(from().nic.mac_address);
        other_ = test::mac_bytes(to().nic.mac_address);
    }

    LabHost& from() { return hosts_[0]; }
    LabHost& to() { return hosts_[1]; }
    /// The link-local address that belongs to the sender's MAC address.
    std::string own_link_local() {
        std::array<char, 64> text{};
        (void)std::snprintf(text.data(),
                            text.size(),
                            "fe80::%x:%xff:fe%02x:%x",
                            own_[1],
                            own_[2],
                            own_[3],
                            own_[4] << 8 | own_[5]);
        return text.data();
    }

    // Sends the frames, then one that surely passes. Returns the marks that were seen at the
    // neighbour until that one came.
    std::string marks_that_pass(const std::vector<Bytes>& frames) {
        const UniqueFd receiver = test::packet_socket(to().space);
        const UniqueFd sender = test::packet_socket(from().space);
        for (const Bytes& frame : frames) {
            test::send_frame(sender.get(), frame);
        }
        test::send_frame(
            sender.get(),
            test::ipv4_frame({other_, own_, from().v4(), to().v4()}, kAnyProtocol, mark('Z')));
        std::string seen;
        std::array<char, 2048> buffer{};
        pollfd wait{.fd = receiver.get(), .events = POLLIN, .revents = 0};
        const auto deadline = static_cast<int>(test::patience(std::chrono::seconds(5)).count());
        while (::poll(&wait, 1, deadline) == 1) {
            const ssize_t size = ::recv(receiver.get(), buffer.data(), buffer.size(), 0);
            const std::string frame(buffer.data(), static_cast<std::size_t>(size > 0 ? size : 0));
            for (std::size_t at = frame.find("mark:"); at != std::string::npos;
                 at = frame.find("mark:", at + 1)) {
                if (seen.find(frame[at + 5]) == std::string::npos) { // an ICMP answer quotes it
                    seen += frame[at + 5];
                }
            }
            if (frame.find("mark:Z") != std::string::npos) {
                return seen;
            }
        }
        return seen + " (the last frame never came)";
    }

    // None of the frames passes while the firewall stands; all of them do without it, so that the
    // test can fail.
    void expect_stopped(const std::vector<Bytes>& frames) {
        EXPECT_EQ(marks_that_pass(frames), "Z");
        std::string all;
        for (std::size_t i = 0; i < frames.size(); ++i) {
            all += static_cast<char>('a' + i);
        }
        EXPECT_TRUE(firewall_->remove_tables());
        EXPECT_EQ(marks_that_pass(frames), all + "Z");
    }

    Bytes own_;
    Bytes other_;
    const Bytes foreign_{2, 0, 0, 9, 9, 9};
    const std::string v4_ = "10.99.0.3"; ///< the neighbour's
    const std::string v6_ = "fd99::3";   ///< the neighbour's
};

TEST_F(SpoofingTest, StopsForeignMacAddresses) {
    expect_stopped({
        test::ipv4_frame({other_, foreign_, from().v4(), v4_}, kAnyProtocol, mark('a')),
        test::ipv6_frame({other_, foreign_, from().v6(), v6_}, kNoNextHeader, mark('b')),
        arp_frame(own_, foreign_, from().v4(), 'c'),
        arp_frame(foreign_, own_, from().v4(), 'd'),
    });
}

TEST_F(SpoofingTest, StopsForeignIpv4Sources) {
    expect_stopped({
        test::ipv4_frame({other_, own_, "10.99.0.77", v4_}, kAnyProtocol, mark('a')),
        test::ipv4_frame({other_, own_, "10.99.0.1", v4_}, kAnyProtocol, mark('b')),
        test::ipv4_frame({other_, own_, "0.0.0.0", v4_}, kAnyProtocol, mark('c')),
        arp_frame(own_, own_, "10.99.0.1", 'd'),
        arp_frame(own_, own_, "0.0.0.0", 'e'),
    });
}

TEST_F(SpoofingTest, StopsForeignIpv6Sources) {
    expect_stopped({
        test::ipv6_frame({other_, own_, "fd99::77", v6_}, kNoNextHeader, mark('a')),
        test::ipv6_frame({other_, own_, "fd99::1", v6_}, kNoNextHeader, mark('b')),
        test::ipv6_frame({other_, own_, "fe80::1", v6_}, kNoNextHeader, mark('c')),
        test::ipv6_frame({other_, own_, "::", v6_}, kNoNextHeader, mark('d')),
    });
}

TEST_F(SpoofingTest, StopsNeighbourDiscoveryForForeignAddresses) {
    constexpr std::uint8_t kSolicitation = 135;
    constexpr std::uint8_t kAdvertisement = 136;
    const Frame own{other_, own_, from().v6(), v6_};
    const Frame probe{other_, own_, "::", v6_};
    // Behind an extension header as well: eight bytes of hop-by-hop options, all padding.
    const Bytes hop_by_hop{IPPROTO_ICMPV6, 0, 1, 4, 0, 0, 0, 0};
    expect_stopped({
        test::ipv6_frame(own, IPPROTO_ICMPV6, icmpv6(kAdvertisement, "fd99::1", 'a')),
        test::ipv6_frame(own, IPPROTO_ICMPV6, icmpv6(kAdvertisement, v6_, 'b')),
        test::ipv6_frame(probe, IPPROTO_ICMPV6, icmpv6(kSolicitation, v6_, 'c')),
        test::ipv6_frame(
            own, IPPROTO_HOPOPTS, join({hop_by_hop, icmpv6(kAdvertisement, "fd99::1", 'd')})),
    });
}

TEST_F(SpoofingTest, StopsContainersThatPlayRouterOrDhcpServer) {
    constexpr std::uint8_t kRouterAdvertisement = 134;
    constexpr std::uint8_t kRedirect = 137;
    const Frame own_v4{other_, own_, from().v4(), v4_};
    const Frame own_v6{other_, own_, own_link_local(), v6_};
    const Bytes hop_by_hop{IPPROTO_ICMPV6, 0, 1, 4, 0, 0, 0, 0};
    expect_stopped({
        test::ipv6_frame(own_v6, IPPROTO_ICMPV6, icmpv6(kRouterAdvertisement, "::", 'a')),
        test::ipv6_frame(own_v6, IPPROTO_ICMPV6, icmpv6(kRedirect, "fd99::1", 'b')),
        test::ipv6_frame(
            own_v6, IPPROTO_HOPOPTS, join({hop_by_hop, icmpv6(kRouterAdvertisement, "::", 'c')})),
        test::ipv4_frame(own_v4, IPPROTO_UDP, test::udp_bytes(67, 68, mark('d'))),
        test::ipv6_frame(own_v6, IPPROTO_UDP, test::udp_bytes(547, 546, mark('e'))),
    });
}

TEST_F(SpoofingTest, StopsWhatIsNeitherIpNorArp) {
    const auto tagged = [this](const Bytes& tag, char letter) {
        const Bytes packet =
            test::ipv4_frame({other_, own_, from().v4(), v4_}, kAnyProtocol, mark(letter));
        Bytes frame(packet.begin(), packet.begin() + 12);
        frame.insert(frame.end(), tag.begin(), tag.end());
        frame.insert(frame.end(), packet.begin() + 12, packet.end());
        return frame;
    };
    expect_stopped({
        join({other_, own_, {0x88, 0x47}, mark('a')}),                   // MPLS
        tagged({0x81, 0x00, 0x00, 0x07}, 'b'),                           // VLAN 7
        tagged({0x88, 0xa8, 0x00, 0x07}, 'c'),                           // 802.1ad
        join({other_, own_, {0x00, 0x20, 0x42, 0x42, 0x03}, mark('d')}), // 802.2, as for STP
        join({other_, own_, {0x88, 0xb5}, mark('e')}),                   // local experiments
    });
}

TEST_F(SpoofingTest, LetsOwnAddressesPass) {
    const std::vector<Bytes> frames{
        test::ipv4_frame({other_, own_, from().v4(), v4_}, kAnyProtocol, mark('a')),
        test::ipv6_frame({other_, own_, from().v6(), v6_}, kNoNextHeader, mark('b')),
        test::ipv6_frame({other_, own_, own_link_local(), v6_}, kNoNextHeader, mark('c')),
        arp_frame(own_, own_, from().v4(), 'd'),
        test::ipv6_frame({other_, own_, "::", v6_}, IPPROTO_ICMPV6, icmpv6(135, from().v6(), 'e')),
    };
    EXPECT_EQ(marks_that_pass(frames), "abcdeZ");
}

TEST_F(SpoofingTest, CountsWhatItDropsForTheOperator) {
    EXPECT_EQ(counted("bridge", "foreign MAC address"), 0);
    EXPECT_EQ(marks_that_pass({test::ipv4_frame(
                  {other_, foreign_, from().v4(), v4_}, kAnyProtocol, mark('a'))}),
              "Z");
    EXPECT_EQ(counted("bridge", "foreign MAC address"), 1);
}

// A bridge hands frames to 01:80:c2:00:00:0x to the host itself, past its prerouting hook, and
// learns from them: the way around all of the above.
TEST_F(SpoofingTest, ChecksFramesToTheBridgesOwnAddressesToo) {
    const UniqueFd service = test::bound_socket(nullptr, SOCK_DGRAM, "10.99.0.1", 53);
    const UniqueFd sender = test::packet_socket(from().space);
    const Bytes nearest_bridge{0x01, 0x80, 0xc2, 0, 0, 0x0e};
    const Bytes spoofed = test::ipv4_frame({nearest_bridge, other_, "198.51.100.7", "10.99.0.1"},
                                           IPPROTO_UDP,
                                           test::udp_bytes(4000, 53, test::text_bytes("spoofed")));
    UniqueFd honest = test::bound_socket(&from().space, SOCK_DGRAM, from().v4(), 4001);
    test::send_frame(sender.get(), spoofed);
    EXPECT_EQ(test::send_datagram(honest.get(), "honest", "10.99.0.1", 53), 0);
    EXPECT_EQ(test::receive_datagram(service.get()), "honest from 10.99.0.2");
    const std::string learned =
        test::witness({"bridge", "fdb", "show", "dev", from().nic.host_name()});
    EXPECT_EQ(learned.find(to().nic.mac_address), std::string::npos) << learned;

    // Without the port's mask it would have come.
    EXPECT_EQ(test::witness({"ip",
                             "link",
                             "set",
                             from().nic.host_name(),
                             "type",
                             "bridge_slave",
                             "group_fwd_mask",
                             "0"}),
              "");
    test::send_frame(sender.get(), spoofed);
    EXPECT_EQ(test::receive_datagram(service.get()), "spoofed from 198.51.100.7");
}

} // namespace
} // namespace lodge::network
