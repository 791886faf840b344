#include "daemon/containers/seed_tree.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::daemon {
namespace {

namespace fs = std::filesystem;

// A template beside the upper layer over it, as plain directories.
class SeedTree : public test::LeakChecked {
  protected:
    void SetUp() override {
        LeakChecked::SetUp();
        directory_.emplace();
        ASSERT_EQ(::mkdir((directory_->path() + "/upper").c_str(), 0755), 0);
        put("/etc/shadow", "root:*:1::::::\n");
        put("/usr/sbin/sshd", "");
        put("/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n");
    }
    void TearDown() override {
        directory_.reset();
        LeakChecked::TearDown();
    }
    // A file of the template.
    void put(const std::string& path, const std::string& content) const {
        const fs::path place = directory_->path() + "/template" + path;
        fs::create_directories(place.parent_path());
        const auto file =
            kernel::open_file(place.string(), O_WRONLY | O_CREAT | O_TRUNC, 0644).value();
        ASSERT_TRUE(kernel::write_all(file.get(), content));
    }
    void link(const std::string& path, const std::string& target) const {
        const fs::path place = directory_->path() + "/template" + path;
        fs::create_directories(place.parent_path());
        fs::create_symlink(target, place);
    }
    void make(const std::string& path) const {
        fs::create_directories(directory_->path() + "/template" + path);
    }
    // What was seeded.
    std::string seeded(const std::string& path) const {
        return kernel::read_file(directory_->path() + "/upper" + path, 65536).value_or("");
    }
    Result<std::vector<std::string>> seed(const Seed& what) const {
        const auto lower = kernel::open_directory(directory_->path() + "/template").value();
        const auto upper = kernel::open_directory(directory_->path() + "/upper").value();
        return seed_tree(lower.get(), upper.get(), what);
    }

    static constexpr const char* kHash = "$y$j9T$abcdefghijklmnop";
    static constexpr const char* kDropIn = "/etc/ssh/sshd_config.d/10-lodge-root-password.conf";
    std::optional<test::TempDir> directory_;
};

TEST_F(SeedTree, FollowsTheTemplatesLinksToRootsKeysInsideTheTree) {
    struct Case {
        const char* link;
        const char* target;
        const char* keys;
    };
    for (const Case& one :
         {Case{"/root", "home/admin", "/home/admin/.ssh/authorized_keys"},
          {"/root", "/var/roothome", "/var/roothome/.ssh/authorized_keys"},
          {"/root", "../../../up", "/up/.ssh/authorized_keys"},
          {"/root/.ssh", "/etc/ssh/of-root", "/etc/ssh/of-root/authorized_keys"},
          {"/root/.ssh", "../etc/ssh/of-root", "/etc/ssh/of-root/authorized_keys"}}) {
        SCOPED_TRACE(std::string(one.link) + " -> " + one.target);
        make("/home/admin");
        fs::remove_all(directory_->path() + "/template/root");
        fs::remove_all(directory_->path() + "/upper");
        ASSERT_EQ(::mkdir((directory_->path() + "/upper").c_str(), 0755), 0);
        link(one.link, one.target);
        const auto sentences = seed({.hostname = "web1", .ssh_keys = {"ssh-ed25519 AAAA"}});
        ASSERT_TRUE(sentences) << sentences.error().to_string();
        EXPECT_EQ(*sentences, std::vector<std::string>{});
        EXPECT_EQ(seeded(one.keys), "ssh-ed25519 AAAA\n");
        EXPECT_FALSE(fs::exists(directory_->path() + "/upper" + one.link)) << "the link is covered";
    }
}

TEST_F(SeedTree, RefusesLinksThatGoInACircle) {
    link("/root", "/loop");
    link("/loop", "/root");
    const auto sentences = seed({.hostname = "web1", .ssh_keys = {"ssh-ed25519 AAAA"}});
    ASSERT_FALSE(sentences);
    EXPECT_EQ(sentences.error().code(), ErrorCode::invalid_argument);
}

TEST_F(SeedTree, LetsRootInByPasswordWhereDropInsAreRead) {
    put("/etc/ssh/sshd_config.d/00-hard.conf", "PermitRootLogin no\nPasswordAuthentication no\n");
    const auto sentences = seed({.hostname = "web1", .password_hash = kHash});
    ASSERT_TRUE(sentences) << sentences.error().to_string();
    EXPECT_EQ(*sentences, std::vector<std::string>{});
    EXPECT_EQ(seeded("/etc/shadow"), std::string("root:") + kHash + ":1::::::\n");
    EXPECT_EQ(seeded(kDropIn),
              "Match User root\n    PermitRootLogin yes\n    PasswordAuthentication yes\n");
    EXPECT_EQ(seeded("/etc/ssh/sshd_config"), "");
}

TEST_F(SeedTree, LetsRootInByPasswordWhereNoDropInsAreRead) {
    for (const char* config : {"PermitRootLogin no\nPasswordAuthentication no",
                               "Match User git\nInclude /etc/ssh/sshd_config.d/*.conf\n",
                               "Include /etc/ssh/sshd_config.d/*.local\n"}) {
        put("/etc/ssh/sshd_config", config);
        const auto sentences = seed({.hostname = "web1", .password_hash = kHash});
        ASSERT_TRUE(sentences) << sentences.error().to_string();
        EXPECT_EQ(*sentences, std::vector<std::string>{}) << config;
        EXPECT_EQ(
            seeded("/etc/ssh/sshd_config"),
            std::string(config) +
                "\nMatch User root\n    PermitRootLogin yes\n    PasswordAuthentication yes\n");
        EXPECT_EQ(seeded(kDropIn), "") << config;
    }
}

TEST_F(SeedTree, SaysWhenRootWillNotBeLetIn) {
    put("/etc/ssh/sshd_config.d/00-hard.conf",
        "Match Address *\nPasswordAuthentication no\nMatch all\nPubkeyAuthentication no\n");
    const auto sentences =
        seed({.hostname = "web1", .ssh_keys = {"ssh-ed25519 AAAA"}, .password_hash = kHash});
    ASSERT_TRUE(sentences) << sentences.error().to_string();
    EXPECT_EQ(*sentences,
              (std::vector<std::string>{
                  "the template's sshd does not let root in by the given ssh key: "
                  "/etc/ssh/sshd_config.d/00-hard.conf says 'pubkeyauthentication no' under "
                  "'Match all'",
                  "the template's sshd does not let root in by password: "
                  "/etc/ssh/sshd_config.d/00-hard.conf says 'passwordauthentication no' under "
                  "'Match Address *'"}));
}

TEST_F(SeedTree, SaysNothingOfSshWhereThereIsNone) {
    fs::remove(directory_->path() + "/template/usr/sbin/sshd");
    const auto sentences = seed({.hostname = "web1", .password_hash = kHash});
    ASSERT_TRUE(sentences) << sentences.error().to_string();
    EXPECT_EQ(*sentences, std::vector<std::string>{});
    EXPECT_EQ(seeded(kDropIn), "");
}

} // namespace
} // namespace lodge::daemon
