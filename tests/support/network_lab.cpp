#include "tests/support/network_lab.hpp"

#include "lib/kernel/program.hpp"
#include "tests/support/patience.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::test {

namespace {

int deadline_ms() {
    return static_cast<int>(patience(std::chrono::seconds(5)).count());
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const std::string& text, std::uint16_t port) {
    SocketAddress address;
    if (text.find(':') == std::string::npos) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), &v4->sin_addr), 1) << text;
        address.size = sizeof *v4;
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr), 1) << text;
        address.size = sizeof *v6;
    }
    return address;
}

std::string text_of(const SocketAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* bytes = address.storage.ss_family == AF_INET
                            ? static_cast<const void*>(
                                  &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr)
                            : &reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
    return ::inet_ntop(address.storage.ss_family, bytes, text.data(), text.size()) == nullptr
               ? "?"
               : text.data();
}

bool becomes(int fd, short event) {
    pollfd wait{.fd = fd, .events = event, .revents = 0};
    return ::poll(&wait, 1, deadline_ms()) == 1;
}

Bytes big_endian(std::size_t value) {
    return {static_cast<std::uint8_t>(value >> 8 & 0xff), static_cast<std::uint8_t>(value & 0xff)};
}

// The header's checksum (RFC 1071): a host with br_netfilter drops a frame without it.
void set_checksum(Bytes& header) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < header.size(); i += 2) {
        sum += static_cast<std::uint32_t>(header[i] << 8 | header[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    header[10] = static_cast<std::uint8_t>(sum >> 8 & 0xff);
    header[11] = static_cast<std::uint8_t>(sum & 0xff);
}

} // namespace

std::string witness(std::vector<std::string> command) {
    kernel::Program program{.path = command.front(),
                            .deadline = Deadline::after(patience(std::chrono::seconds(20)))};
    program.arguments.assign(command.begin() + 1, command.end());
    const auto output = kernel::run_program(program);
    return output ? output->standard_output : "failed: " + output.error().to_string();
}

std::string witness_in(const NetNamespace& space, std::vector<std::string> command) {
    std::string output;
    space.run([&] { output = witness(std::move(command)); });
    return output;
}

void NetworkLab::SetUp() {
    LeakChecked::SetUp();
    bridge_ = {.name = "lodge-t0",
               .addresses = {model::CidrAddress::parse("10.99.0.1/24").value(),
                             model::CidrAddress::parse("fd99::1/64").value()}};
    const Status made = links_->ensure_bridge(bridge_);
    ASSERT_TRUE(made) << made.error().to_string();
    const Status tables = firewall_->ensure_tables(bridge_);
    ASSERT_TRUE(tables) << tables.error().to_string();
}

void NetworkLab::TearDown() {
    hosts_.clear();
    if (uplink_) {
        EXPECT_EQ(witness({"ip", "link", "del", "up0"}), "");
        uplink_.reset();
    }
    EXPECT_TRUE(firewall_->remove_tables());
    EXPECT_TRUE(links_->remove_bridge(bridge_.name));
    links_.reset(); // also closes their sockets
    firewall_.reset();
    LeakChecked::TearDown();
}

network::Nic NetworkLab::make_nic(int number) const {
    network::Nic nic{
        .uuid = Uuid::generate().value(),
        .bridge = bridge_.name,
        .addresses =
            {model::CidrAddress::parse("10.99.0." + std::to_string(number) + "/24").value(),
             model::CidrAddress::parse("fd99::" + std::to_string(number) + "/64").value()},
        .gateways = {bridge_.addresses[0].address, bridge_.addresses[1].address}};
    nic.mac_address = network::mac_address_of(nic.uuid);
    return nic;
}

LabHost& NetworkLab::add_host(int number) {
    LabHost& host = hosts_.emplace_back();
    host.nic = make_nic(number);
    const Status admitted = firewall_->admit(host.nic);
    EXPECT_TRUE(admitted) << admitted.error().to_string();
    const Status attached = links_->attach(host.nic, network::InNamespace{host.space.fd()});
    EXPECT_TRUE(attached) << attached.error().to_string();
    return host;
}

NetNamespace& NetworkLab::add_uplink() {
    uplink_.emplace();
    EXPECT_EQ(witness({"ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1"}), "");
    // iproute2 identifies a namespace by the id of a thread in it.
    const std::string pid = std::to_string(::getpid());
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
             {"ip", "addr", "add", "192.0.2.1/24", "dev", "up0"},
             {"ip", "addr", "add", "2001:db8::1/64", "dev", "up0", "nodad"},
             {"ip", "link", "set", "up0", "up"}}) {
        EXPECT_EQ(witness(command), "");
    }
    uplink_->run([&] {
        const std::string thread = std::to_string(::gettid());
        EXPECT_EQ(witness({"nsenter",
                           "--net=/proc/" + pid + "/ns/net",
                           "ip",
                           "link",
                           "set",
                           "up1",
                           "netns",
                           thread}),
                  "");
        for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
                 {"ip", "addr", "add", "192.0.2.9/24", "dev", "up1"},
                 {"ip", "addr", "add", "2001:db8::9/64", "dev", "up1", "nodad"},
                 {"ip", "link", "set", "up1", "up"},
                 {"ip", "route", "add", "10.99.0.0/24", "via", "192.0.2.1"},
                 {"ip", "route", "add", "fd99::/64", "via", "2001:db8::1"}}) {
            EXPECT_EQ(witness(command), "");
        }
    });
    const Status forwards = links_->ensure_forwarding(bridge_.name);
    EXPECT_TRUE(forwards) << forwards.error().to_string();
    return *uplink_;
}

long NetworkLab::counted(const std::string& family, const std::string& comment) {
    const auto listing = nlohmann::json::parse(
        witness({"nft", "-j", "list", "table", family, "lodge"}), nullptr, false);
    if (!listing.is_object()) {
        return -1;
    }
    for (const auto& entry : listing["nftables"]) {
        if (!entry.contains("rule") || entry["rule"].value("comment", "") != comment) {
            continue;
        }
        for (const auto& part : entry["rule"]["expr"]) {
            if (part.contains("counter")) {
                return part["counter"]["packets"].get<long>();
            }
        }
    }
    return -1;
}

UniqueFd
bound_socket(const NetNamespace* space, int type, const std::string& address, std::uint16_t port) {
    SocketAddress local = socket_address(address, port);
    UniqueFd socket;
    const auto make = [&] {
        socket.reset(::socket(local.storage.ss_family, type | SOCK_CLOEXEC, 0));
        const int on = 1;
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        EXPECT_EQ(::bind(socket.get(), local.get(), local.size), 0) << std::strerror(errno);
        if (type == SOCK_STREAM) {
            EXPECT_EQ(::listen(socket.get(), 1), 0);
        }
    };
    if (space == nullptr) {
        make();
    } else {
        space->run(make);
    }
    return socket;
}

int send_datagram(int socket, const std::string& text, const std::string& to, std::uint16_t port) {
    SocketAddress address = socket_address(to, port);
    const ssize_t size = ::sendto(socket, text.data(), text.size(), 0, address.get(), address.size);
    return size < 0 ? errno : 0;
}

std::string receive_datagram(int socket) {
    if (!becomes(socket, POLLIN)) {
        return "nothing";
    }
    std::array<char, 2048> buffer{};
    SocketAddress from;
    from.size = sizeof from.storage;
    const ssize_t size =
        ::recvfrom(socket, buffer.data(), buffer.size(), 0, from.get(), &from.size);
    return size < 0 ? std::strerror(errno)
                    : std::string(buffer.data(), static_cast<std::size_t>(size)) + " from " +
                          text_of(from);
}

int connect_tcp(const NetNamespace& space, const std::string& address, std::uint16_t port) {
    SocketAddress remote = socket_address(address, port);
    UniqueFd socket;
    space.run([&] {
        socket.reset(
            ::socket(remote.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    });
    if (::connect(socket.get(), remote.get(), remote.size) != 0 && errno != EINPROGRESS) {
        return errno;
    }
    if (!becomes(socket.get(), POLLOUT)) {
        return ETIMEDOUT;
    }
    int error = 0;
    socklen_t size = sizeof error;
    EXPECT_EQ(::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size), 0);
    return error;
}

std::string accept_from(int listener) {
    if (!becomes(listener, POLLIN)) {
        return "nobody";
    }
    SocketAddress from;
    from.size = sizeof from.storage;
    const UniqueFd connection(::accept4(listener, from.get(), &from.size, SOCK_CLOEXEC));
    return connection ? text_of(from) : std::strerror(errno);
}

UniqueFd packet_socket(const NetNamespace& space) {
    UniqueFd socket;
    space.run([&] {
        socket.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_ALL);
        address.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    });
    return socket;
}

void send_frame(int packet_socket, const Bytes& frame) {
    EXPECT_EQ(::send(packet_socket, frame.data(), frame.size(), 0),
              static_cast<ssize_t>(frame.size()));
}

Bytes mac_bytes(const std::string& text) {
    Bytes mac;
    for (std::size_t at = 0; at + 1 < text.size(); at += 3) {
        mac.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(at, 2), nullptr, 16)));
    }
    return mac;
}

Bytes address_bytes(const std::string& text) {
    const model::IpAddress address = model::IpAddress::parse(text).value();
    return {address.bytes().begin(), address.bytes().begin() + address.bits() / 8};
}

Bytes text_bytes(const std::string& text) {
    return {text.begin(), text.end()};
}

Bytes join(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

Bytes ipv4_frame(const Frame& frame, std::uint8_t protocol, const Bytes& payload) {
    constexpr std::size_t kHeader = 20;
    Bytes header = join({{0x45, 0},
                         big_endian(kHeader + payload.size()),
                         {0, 0, 0, 0, 64, protocol, 0, 0},
                         address_bytes(frame.source),
                         address_bytes(frame.destination)});
    set_checksum(header);
    return join({frame.to, frame.from, {0x08, 0x00}, header, payload});
}

Bytes ipv6_frame(const Frame& frame, std::uint8_t next, const Bytes& payload) {
    return join({frame.to,
                 frame.from,
                 {0x86, 0xdd},
                 {0x60, 0, 0, 0},
                 big_endian(payload.size()),
                 {next, 255},
                 address_bytes(frame.source),
                 address_bytes(frame.destination),
                 payload});
}

Bytes udp_bytes(std::uint16_t from, std::uint16_t to, const Bytes& payload) {
    return join(
        {big_endian(from), big_endian(to), big_endian(8 + payload.size()), {0, 0}, payload});
}

} // namespace lodge::test
