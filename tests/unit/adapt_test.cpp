#include "templates/adapt.hpp"
#include "templates/sshd_config.hpp"
#include "templates/unpack/left_out.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

// What is read and changed of a distribution's own files.
namespace lodge::templates {
namespace {

SshdConfig config_of(const std::string& text) {
    return {.main = "/c", .settings = parse_sshd_config({.path = "/c", .text = text})};
}

std::vector<std::string> against_password(const std::string& text) {
    return what_keeps_root_out(config_of(text), LoginBy::password);
}
std::vector<std::string> against_key(const std::string& text) {
    return what_keeps_root_out(config_of(text), LoginBy::key);
}

TEST(SshdConfig, IsReadAsSshdReadsIt) {
    const auto settings =
        parse_sshd_config({.path = "/c",
                           .text = "# a comment\n\n  PermitRootLogin\tno # why\r\n"
                                   "hostkey=/a\nBanner \"/with blanks\" rest\n"
                                   "Match User root,!admin\n\tX11Forwarding no\n"
                                   "Match all\nUsePAM yes"});
    ASSERT_EQ(settings.size(), 5U);
    EXPECT_EQ(settings[0].keyword, "permitrootlogin");
    EXPECT_EQ(settings[0].arguments, std::vector<std::string>{"no"});
    EXPECT_EQ(settings[1].arguments, std::vector<std::string>{"/a"});
    EXPECT_EQ(settings[2].arguments, (std::vector<std::string>{"/with blanks", "rest"}));
    EXPECT_EQ(settings[3].match, "User root,!admin");
    EXPECT_EQ(settings[4].match, "all");
}

TEST(SshdConfig, TellsWhatKeepsRootOut) {
    const std::string ours = "Match User root\nPermitRootLogin yes\nPasswordAuthentication yes\n";
    EXPECT_EQ(against_password(ours), std::vector<std::string>{});
    EXPECT_EQ(against_password("PermitRootLogin no\nPasswordAuthentication no\n" + ours),
              std::vector<std::string>{});
    EXPECT_EQ(against_password("Match User tom\nPasswordAuthentication no\n" + ours),
              std::vector<std::string>{});
    EXPECT_EQ(
        against_password("Match Address 10.0.0.0/8\nPasswordAuthentication no\n" + ours),
        std::vector<std::string>{"the template's sshd does not let root in by password: /c says "
                                 "'passwordauthentication no' under 'Match Address 10.0.0.0/8'"});
    EXPECT_EQ(against_password("Match Group r*\nPermitRootLogin no\n" + ours).size(), 1U);
    EXPECT_EQ(against_password("AuthenticationMethods publickey,password\n" + ours).size(), 1U);
    EXPECT_EQ(against_password("AuthenticationMethods publickey password\n" + ours).size(), 0U);
    EXPECT_EQ(against_password("AllowUsers tom\nAllowUsers ann root@10.*\n" + ours).size(), 0U);
    EXPECT_EQ(against_password("AllowUsers tom ann\n" + ours).size(), 1U);
    EXPECT_EQ(against_password("DenyUsers r?ot\n" + ours).size(), 1U);
    EXPECT_EQ(against_password("DenyGroups wheel\n" + ours).size(), 0U);
}

TEST(SshdConfig, TellsWhatKeepsAKeyOut) {
    EXPECT_EQ(against_key(""), std::vector<std::string>{});
    EXPECT_EQ(against_key("PermitRootLogin prohibit-password\nPasswordAuthentication no\n"),
              std::vector<std::string>{});
    EXPECT_EQ(against_key("PermitRootLogin no\nPermitRootLogin yes\n").size(), 1U);
    EXPECT_EQ(against_key("PermitRootLogin forced-commands-only\n").size(), 1U);
    EXPECT_EQ(against_key("PubkeyAuthentication no\n").size(), 1U);
    EXPECT_EQ(against_key("AuthorizedKeysFile /etc/ssh/keys/%u\n").size(), 1U);
    EXPECT_EQ(against_key("AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n").size(), 0U);
}

TEST(Adapt, TakesWhatIsTheHostsOutOfFstab) {
    EXPECT_EQ(without_disks("# /etc/fstab\n\nLABEL=root / ext4 defaults 0 1\n"
                            "/dev/vda2 /home ext4 defaults 0 2\nUUID=1-2 none swap sw 0 0\n"
                            "/swapfile none swap sw 0 0\nproc /proc proc defaults 0 0\n"
                            "tmpfs /tmp tmpfs size=64m 0 0\nnas:/pool /pool nfs ro 0 0\n"
                            "overlay / overlay rw 0 0\ntmpfs /run/lock tmpfs rw 0 0\n"),
              "# /etc/fstab\n\n# not in a container: LABEL=root / ext4 defaults 0 1\n"
              "# not in a container: /dev/vda2 /home ext4 defaults 0 2\n"
              "# not in a container: UUID=1-2 none swap sw 0 0\n"
              "# not in a container: /swapfile none swap sw 0 0\n"
              "# not in a container: proc /proc proc defaults 0 0\n"
              "tmpfs /tmp tmpfs size=64m 0 0\nnas:/pool /pool nfs ro 0 0\n"
              "# not in a container: overlay / overlay rw 0 0\n"
              "# not in a container: tmpfs /run/lock tmpfs rw 0 0\n");
}

TEST(Adapt, LetsSystemVInitHaltAtAPowerFailure) {
    EXPECT_EQ(with_halt("id:2:initdefault:\n# pf::powerfail:x\n"
                        "pf::powerwait:/etc/init.d/powerfail start\n"
                        "po::powerokwait:/etc/init.d/powerfail stop\n"
                        "1:2345:respawn:/sbin/getty --noclear 38400 tty1\n"
                        "2:23:respawn:/sbin/getty 38400 tty2\n",
                        "/sbin/shutdown -h now"),
              "id:2:initdefault:\n# pf::powerfail:x\n"
              "# not in a container: pf::powerwait:/etc/init.d/powerfail start\n"
              "po::powerokwait:/etc/init.d/powerfail stop\n"
              "1:2345:respawn:/sbin/getty --noclear 38400 console\n"
              "# not in a container: 2:23:respawn:/sbin/getty 38400 tty2\n"
              "pf::powerfail:/sbin/shutdown -h now\npn::powerfailnow:/sbin/shutdown -h now\n");
    EXPECT_EQ(with_halt("::sysinit:/sbin/openrc sysinit\n::shutdown:/sbin/openrc shutdown\n", "x"),
              "");
    EXPECT_EQ(with_halt("", "x"), "");
}

TEST(LeftOut, KnowsAnEntryByAnyOfItsPaths) {
    EXPECT_EQ(normalised("./a//b/./c/"), "a/b/c");
    EXPECT_EQ(normalised("./"), "");
    LeftOut left_out;
    EXPECT_EQ(left_out.sentence(), "");
    left_out.entry(LeftOut::Kind::socket, "./run//x");
    EXPECT_TRUE(left_out.contains("run/x"));
    left_out.taken("/run/x");
    EXPECT_FALSE(left_out.contains("run/x"));
    EXPECT_EQ(left_out.sentence(), "left out of the archive: 1 socket");
}

TEST(LeftOut, RemembersNoMoreThanItMay) {
    LeftOut left_out;
    const std::string name(std::size_t{1} << 20, 'x');
    for (int i = 0; i < 64; ++i) {
        EXPECT_FALSE(left_out.too_much()) << i;
        left_out.entry(LeftOut::Kind::fifo, name + std::to_string(i));
    }
    EXPECT_TRUE(left_out.too_much());
}

} // namespace
} // namespace lodge::templates
