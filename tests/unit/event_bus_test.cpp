#include "daemon/operations/event_bus.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lodge::daemon {
namespace {

const Deadline kNow = Deadline::after(Deadline::Clock::duration::zero());

std::vector<std::string> resources(EventSubscription& subscription) {
    std::vector<std::string> all;
    while (const auto event = subscription.next(kNow)) {
        all.push_back(event->resource);
    }
    return all;
}

TEST(EventBus, KeepsWhatOthersSaidWhenOneSaysMuch) {
    EventBus bus;
    bus.publish({.kind = "daemon", .resource = "lodged", .what = "recovered"});
    bus.publish({.kind = "container", .resource = "web1", .what = "stopped"});
    for (int i = 0; i < 1000; ++i) {
        bus.publish({.kind = "container", .resource = "loop", .what = "running"});
    }
    const auto kept = resources(*bus.subscribe(kKeptEvents));
    ASSERT_EQ(kept.size(), 2 + kKeptOfOne);
    EXPECT_EQ(kept[0], "lodged");
    EXPECT_EQ(kept[1], "web1");
}

TEST(EventBus, KeepsTheLastOfAll) {
    EventBus bus;
    for (std::size_t i = 0; i < 2 * kKeptEvents; ++i) {
        bus.publish({.kind = "container", .resource = "web" + std::to_string(i)});
    }
    const auto kept = resources(*bus.subscribe(kKeptEvents));
    ASSERT_EQ(kept.size(), kKeptEvents);
    EXPECT_EQ(kept.back(), "web" + std::to_string(2 * kKeptEvents - 1));
    EXPECT_EQ(resources(*bus.subscribe(1)), std::vector<std::string>{kept.back()});
}

TEST(EventBus, TellsWhoWaitsForOneOfNoOther) {
    EventBus bus;
    const auto all = bus.subscribe();
    const auto mine = bus.subscribe_to("web1");
    for (const char* name : {"web2", "web1", "web3", "web1"}) {
        bus.publish({.kind = "container", .resource = name});
    }
    EXPECT_EQ(resources(*mine), (std::vector<std::string>{"web1", "web1"}));
    EXPECT_EQ(resources(*all).size(), 4U);
    bus.close();
    EXPECT_FALSE(mine->next(Deadline::never()));
}

} // namespace
} // namespace lodge::daemon
