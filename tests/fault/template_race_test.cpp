#include "tests/fault/rig.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>

namespace lodge::test {

namespace {

using daemon::Caller;

/// The creation of a container and the removal of its template, one during the other: the second
/// one is refused, and no container is left without its template.
class TemplateRace : public ::testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(import("base")); }
    Status import(const std::string& name) {
        UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        const Status status =
            rig_.outcome(rig_.templates().import(Caller{}, name, {.bytes = std::move(archive)}));
        EXPECT_TRUE(rig_.settle("template " + name)); // its last write is no cue for before()
        return status;
    }
    Status create() {
        daemon::CreateRequest request;
        request.spec.name = "web1";
        request.spec.template_name = "base";
        return rig_.outcome(rig_.containers().create(Caller{}, std::move(request)));
    }
    Status remove(const std::string& name) {
        const Status status = rig_.outcome(rig_.templates().remove(Caller{}, name));
        EXPECT_TRUE(rig_.settle("template " + name));
        return status;
    }

    TempDir directory_;
    World world_{directory_.path()};
    Rig rig_{world_};
};

TEST_F(TemplateRace, ACreateWhoseTemplateWentLeavesNothing) {
    world_.before("keys.wrap", [this] { EXPECT_TRUE(remove("base")); });
    const Status status = create();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::invalid_state);
    EXPECT_THAT(status.error().message(), ::testing::HasSubstr("removed meanwhile"));
    EXPECT_THAT(rig_.ledger(), ::testing::IsEmpty());
}

TEST_F(TemplateRace, ATemplateThatWasJustTakenStays) {
    // After the removal has checked for users of the template: the next write begins its log.
    world_.before("database.write", [this] { EXPECT_TRUE(create()); });
    const Status status = remove("base");
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::busy);
    EXPECT_TRUE(rig_.outcome(rig_.containers().start(Caller{}, "web1")));
}

TEST_F(TemplateRace, AnImageOfTwoNamesGoesWithTheLast) {
    ASSERT_TRUE(import("same")); // the fake store makes the same image for names of one length
    ASSERT_TRUE(remove("base"));
    EXPECT_THAT(rig_.ledger(), ::testing::Contains(::testing::StartsWith("image")));
    ASSERT_TRUE(remove("same"));
    EXPECT_THAT(rig_.ledger(), ::testing::IsEmpty());
}

TEST_F(TemplateRace, AnImportWhoseImageWentUnderAnotherNameSaysSo) {
    world_.before("store.publish", [this] {
        // The image is there; the next write is the intent to name it.
        world_.before("database.write", [this] { EXPECT_TRUE(remove("base")); });
    });
    const Status status = import("same");
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::busy);
    EXPECT_THAT(rig_.ledger(), ::testing::IsEmpty());
}

} // namespace

} // namespace lodge::test
