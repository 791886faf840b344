// What could not be looked at for want of a descriptor is not absent.
#include "daemon/records/places.hpp"
#include "lib/kernel/fs.hpp"
#include "templates/sshd_config.hpp"
#include "templates/tree.hpp"
#include "tests/support/few_descriptors.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace lodge {
namespace {

namespace fs = std::filesystem;

class Descriptors : public ::testing::Test {
  protected:
    Descriptors() { settings_.state_directory = directory_.path(); }
    void make(const std::string& path) const {
        const std::string whole = directory_.path() + "/" + path;
        fs::create_directories(fs::path(whole).parent_path());
        std::ofstream(whole) << "x";
    }

    test::TempDir directory_;
    daemon::Settings settings_;
    Uuid uuid_ = Uuid::generate().value();
};

TEST_F(Descriptors, WantOfThemRemovesNoContainersDirectoryAndSaysSo) {
    const std::string place = settings_.container_directory(uuid_.to_string());
    int failures = 0;
    for (unsigned count = 0; fs::exists(place) || failures == 0; ++count) {
        ASSERT_LT(count, 24U);
        make("containers/" + uuid_.to_string() + "/deep/volume.img");
        Status removed;
        {
            const test::FewDescriptors few(count);
            removed = daemon::remove_place(settings_, uuid_);
        }
        EXPECT_EQ(removed.has_value(), !fs::exists(place)) << "with " << count;
        failures += removed ? 0 : 1;
    }
    EXPECT_GE(failures, 3); // the parent, the directory, the one in it
    EXPECT_TRUE(daemon::remove_place(settings_, uuid_)) << "it is gone";
}

TEST_F(Descriptors, WantOfThemHidesNoVolume) {
    make("containers/" + uuid_.to_string() + "/volume.img");
    const auto look = [&] { return daemon::volumes_on_disk(settings_); };
    ASSERT_EQ(look().value(), std::vector<Uuid>{uuid_});
    EXPECT_GT(test::count_honest_failures(look), 0);
}

TEST_F(Descriptors, WantOfThemHidesNothingOfATree) {
    make("sbin/init");
    fs::permissions(directory_.path() + "/sbin/init", fs::perms::owner_all);
    fs::create_directories(directory_.path() + "/etc/ssh/sshd_config.d");
    make("usr/sbin/sshd");
    std::ofstream(directory_.path() + "/etc/ssh/sshd_config")
        << "Include /etc/ssh/sshd_config.d/*.conf\n";
    std::ofstream(directory_.path() + "/etc/ssh/sshd_config.d/a.conf") << "UsePAM no\n";
    const auto tree = kernel::open_directory(directory_.path());
    ASSERT_TRUE(tree);
    const auto kind = [&]() -> Result<std::string> {
        ASSIGN_OR_RETURN(const auto seen, templates::inspect_tree(tree->get()));
        return seen.init + " " + seen.program + " " + seen.ready;
    };
    ASSERT_EQ(kind().value(), "/sbin/init init ssh");
    EXPECT_GT(test::count_honest_failures(kind), 0);
    const auto settings = [&]() -> Result<std::size_t> {
        ASSIGN_OR_RETURN(const auto config, templates::read_sshd_config(tree->get()));
        return config.settings.size();
    };
    ASSERT_EQ(settings().value(), 1U);
    EXPECT_GT(test::count_honest_failures(settings), 0);
}

} // namespace
} // namespace lodge
