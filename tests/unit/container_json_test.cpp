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

TEST(ContainerJson, RefusesWhatNoContainerHas) {
    for (const char* text : {"nothing", "name,,state", "ssh_keys", "name, state", ","}) {
        EXPECT_FALSE(read_fields(text)) << text;
    }
    EXPECT_EQ(read_fields("name,bald").error().message(),
              "a container has no value 'bald' to show");
}

} // namespace
} // namespace lodge::daemon
