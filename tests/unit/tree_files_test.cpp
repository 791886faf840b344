#include "daemon/containers/hosts_file.hpp"
#include "daemon/containers/resolvers.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lodge::daemon {
namespace {

std::vector<std::string> servers_of(std::string_view text) {
    std::vector<std::string> servers;
    for (const model::IpAddress& server : usable_nameservers(text)) {
        servers.push_back(server.to_string());
    }
    return servers;
}

using Texts = std::vector<std::string>;

TEST(Nameservers, AreReadAsResolversReadThem) {
    EXPECT_EQ(servers_of("# nameserver 203.0.113.7\n; nameserver 203.0.113.8\n"
                         "search nameserver 203.0.113.9\n"
                         "options nameserver 203.0.113.10\n"
                         "nameserver192.0.2.9\nnameservers 192.0.2.8\n nameserver 192.0.2.7\n"
                         "nameserver\t 192.0.2.1\t# the first\r\n"
                         "nameserver 192.0.2.2;the second\n"
                         "nameserver 2001:db8::53"),
              (Texts{"192.0.2.1", "192.0.2.2", "2001:db8::53"}));
}

TEST(Nameservers, AreThoseThatAnotherHostCanAsk) {
    for (const char* local : {"127.0.0.53",
                              "127.1.2.3",
                              "0.0.0.0",
                              "::1",
                              "::",
                              "::ffff:127.0.0.1",
                              "fe80::1%eth0",
                              "fe80::1",
                              "febf::1",
                              "resolver",
                              ""}) {
        EXPECT_EQ(servers_of(std::string("nameserver ") + local + "\nnameserver 192.0.2.1\n"),
                  Texts{"192.0.2.1"})
            << local;
    }
    EXPECT_EQ(servers_of("nameserver fec0::1\nnameserver fd00::1\nnameserver ::2\n"),
              (Texts{"fec0::1", "fd00::1", "::2"}));
}

TEST(Nameservers, AreThreeAndEachOnce) {
    EXPECT_EQ(servers_of("nameserver 127.0.0.1\nnameserver 192.0.2.1\nnameserver 192.0.2.1\n"
                         "nameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"),
              (Texts{"192.0.2.1", "192.0.2.2", "192.0.2.3"}));
    EXPECT_EQ(servers_of(""), Texts{});
    EXPECT_EQ(servers_of(std::string("nameserver 192.0.2.1\0x\n", 23)), Texts{});
}

const Texts kAddresses{"10.77.1.2", "fd4c::2"};

std::string renamed(std::string_view text, const std::string& now = "shop") {
    return renamed_hosts(text, "web1.example.org", now, kAddresses);
}

TEST(HostsFile, IsThatOfTheNewNameWhenNobodyChangedIt) {
    for (const char* now : {"shop", "shop.example.org", "web1", "web1.example.net"}) {
        EXPECT_EQ(renamed(hosts_text("web1.example.org", kAddresses), now),
                  hosts_text(now, kAddresses))
            << now;
    }
}

TEST(HostsFile, KeepsWhatItsTenantWrote) {
    EXPECT_EQ(renamed("# web1 of old\n127.0.1.1\tweb1.example.org web1 mail web1 # mine: web1\n"
                      "10.77.1.2 db web1\n10.0.0.9 web1\n\n::1 localhost web1"),
              "# web1 of old\n127.0.1.1\tshop mail # mine: web1\n"
              "10.77.1.2 db shop\n10.0.0.9 web1\n\n::1 localhost shop\n");
}

TEST(HostsFile, KnowsTheNewNameWhateverWasInIt) {
    const std::string own = "10.77.1.2 shop\nfd4c::2 shop\n";
    EXPECT_EQ(renamed(""), own);
    EXPECT_EQ(renamed("127.0.0.1 localhost"), "127.0.0.1 localhost\n" + own);
    EXPECT_EQ(renamed("10.0.0.9 shop\n"), "10.0.0.9 shop\n" + own) << "another host's line";
    EXPECT_EQ(renamed("10.77.1.2 shop\n"), "10.77.1.2 shop\n") << "it does already";
    EXPECT_EQ(renamed_hosts("127.0.0.1 localhost\n", "", "shop", kAddresses),
              "127.0.0.1 localhost\n" + own)
        << "the old name is unknown";
}

TEST(HostsFile, KeepsLocalhostWhateverTheHostWasCalled) {
    EXPECT_EQ(renamed_hosts(hosts_text("localhost", {}), "localhost", "shop", kAddresses),
              hosts_text("shop", kAddresses));
}

} // namespace
} // namespace lodge::daemon
