#include "daemon/api/container_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lodge::daemon {
namespace {

ContainerView view() {
    ContainerView view;
    view.container.spec.name = "web1";
    view.container.spec.hostname = "shop";
    view.container.spec.ssh_keys = {"ssh-ed25519 A"};
    view.container.spec.resources.memory_bytes = 5;
    return view;
}

TEST(ContainerJson, ShowsOnlyWhatIsAskedFor) {
    const auto keys = read_fields("name,hostname,addresses,cpu_millis").value();
    EXPECT_EQ(ContainerJson(keys).of(view()).dump(),
              R"({"addresses":[],"hostname":"shop","name":"web1"})");
    const nlohmann::json all = ContainerJson(read_fields("").value()).of(view());
    for (const char* key : {"name", "hostname", "memory_bytes", "state", "uuid", "last_exit"}) {
        EXPECT_TRUE(all.contains(key)) << key;
    }
    EXPECT_FALSE(all.contains("ssh_keys")) << "what a spec asks for is not what a container has";
    EXPECT_TRUE(all["pid"].is_null());
}

// To look it up for each of thousands takes longer than all the rest of a list.
TEST(ContainerJson, ShowsWhatAContainerUsesOnlyIfAskedFor) {
    const auto shown = [](const char* words) { return ContainerJson(read_fields(words).value()); };
    for (const char* words : {"", "all", "name,started_at"}) {
        EXPECT_FALSE(shown(words).shows_use()) << words;
        EXPECT_FALSE(shown(words).of(view()).contains("memory_used_bytes")) << words;
        EXPECT_FALSE(shown(words).of(view()).contains("uptime_seconds")) << words;
    }
    EXPECT_TRUE(shown("all,processes").shows_use());
    const nlohmann::json both = shown("all,processes").of(view());
    EXPECT_TRUE(both.contains("processes") && both.contains("uuid"));
    EXPECT_TRUE(ContainerJson::whole().shows_use());
}

TEST(ContainerJson, RefusesWhatNoContainerHas) {
    for (const char* text : {"nothing", "name,,state", "ssh_keys", "name, state", ","}) {
        EXPECT_FALSE(read_fields(text)) << text;
    }
    EXPECT_EQ(read_fields("name,bald").error().message(),
              "a container has no value 'bald' to show");
}

} // namespace
} // namespace lodge::daemon
