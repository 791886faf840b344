// What a boot starts, on a host whose starts take no time.
#include "daemon/autostart/autostart.hpp"
#include "tests/fault/rig.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include <fcntl.h>

namespace lodge::test {

namespace {

using daemon::Caller;

std::ptrdiff_t starts_on_their_way(Rig& rig) {
    const auto all = rig.engine().list();
    return std::count_if(all.begin(), all.end(), [](const daemon::OperationView& view) {
        return view.verb == "start" && view.status == daemon::OperationStatus::running;
    });
}

std::ptrdiff_t running(Rig& rig) {
    const auto all = rig.containers().list();
    return std::count_if(all->begin(), all->end(), [](const daemon::ContainerView& view) {
        return view.container.state == model::State::running;
    });
}

class AtOnce : public ::testing::TestWithParam<unsigned> {
  protected:
    void SetUp() override {
        UniqueFd archive(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ASSERT_TRUE(
            rig_.outcome(rig_.templates().import(Caller{}, "base", {.bytes = std::move(archive)})));
        for (std::ptrdiff_t made = 0; made < kContainers; ++made) {
            daemon::CreateRequest request;
            request.spec.name = "web" + std::to_string(made);
            request.spec.template_name = "base";
            request.spec.boot.onboot = model::OnBoot::yes;
            ASSERT_TRUE(rig_.outcome(rig_.containers().create(Caller{}, std::move(request))));
        }
    }
    void TearDown() override { rig_.events().close(); }

    static constexpr std::ptrdiff_t kContainers = 8;
    TempDir directory_;
    World world_{directory_.path()};
    Rig rig_{world_};
};

TEST_P(AtOnce, SoManyStartsAreOnTheirWayAndNoMore) {
    const auto news = rig_.engine().subscribe(0);
    daemon::Autostart autostart(rig_.parts(), rig_.containers(), rig_.engine(), GetParam());
    const auto planned = autostart.start_up();
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(30)));
    std::ptrdiff_t most = 0;
    while (running(rig_) < kContainers && news->next(deadline)) {
        most = std::max(most, starts_on_their_way(rig_));
    }
    rig_.events().close(); // on which its thread ends
    ASSERT_TRUE(planned);
    EXPECT_EQ(*planned, static_cast<std::size_t>(kContainers));
    EXPECT_EQ(running(rig_), kContainers);
    EXPECT_LE(most, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Autostart, AtOnce, ::testing::Values(1U, 3U));

} // namespace

} // namespace lodge::test
