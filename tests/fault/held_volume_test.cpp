// A volume that cannot be closed when a create is undone.
#include "tests/fault/rig.hpp"
#include "tests/fault/things.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <fcntl.h>

namespace lodge::test {

namespace {

using daemon::Caller;
using ::testing::Contains;
using ::testing::Not;

TEST(HeldVolume, KeepsItsNameUntilItIsClosed) {
    const TempDir directory;
    World world(directory.path());
    Rig rig(world);
    UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(
        rig.outcome(rig.templates().import(Caller{}, "base", {.bytes = std::move(archive)})));
    const auto before = rig.ledger();
    std::string holder;
    world.before("volume.create", [&] {
        for (const auto& entry :
             std::filesystem::directory_iterator(directory.path() + "/containers")) {
            holder = "holder of " + entry.path().filename().string();
        }
        world.happen([&](Things& things) { things.insert(holder); });
    });
    daemon::CreateRequest request;
    request.spec.name = "web1";
    request.spec.template_name = "base";
    const Status created = rig.outcome(rig.containers().create(Caller{}, std::move(request)));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().code(), ErrorCode::busy);
    EXPECT_TRUE(rig.settle("web1"));
    EXPECT_THAT(rig.ledger(), Contains("loop U"));
    EXPECT_THAT(rig.ledger(), Contains("directory")) << "the device's image has no name";
    EXPECT_THAT(rig.ledger(), Not(Contains(::testing::HasSubstr("row "))));

    world.happen([&](Things& things) { things.erase(holder); });
    ASSERT_TRUE(rig.check().run(true));
    EXPECT_EQ(rig.ledger(), before);
}

} // namespace

} // namespace lodge::test
