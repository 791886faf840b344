// Runs the contract of monitors on the fake ones.
#include "tests/contract/monitors.hpp"
#include "tests/fault/fakes.hpp"
#include "tests/fault/things.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>
#include <string>

namespace lodge::test {

namespace {

class FakeMonitors : public ::testing::Test {
  protected:
    void SetUp() override {
        world_.happen([&](Things& things) { things.insert("group ct-" + uuid_.to_string()); });
    }
    daemon::Runtime& runtime() { return *runtime_; }
    std::unique_ptr<daemon::Runtime> another_runtime() { return fake_runtime(world_); }
    const Uuid& uuid() const { return uuid_; }
    Result<std::unique_ptr<daemon::StartingContainer>> build() {
        ASSIGN_OR_RETURN(auto starting, runtime_->begin({.uuid = uuid_}));
        RETURN_IF_ERROR(starting->build({.volume_fd = 0, .lower_fd = 0}));
        return starting;
    }
    void await_up(const daemon::Monitor&) {}
    void kill_group() {
        world_.happen(
            [&](Things& things) { end_processes(things, uuid_.to_string(), "signal 9"); });
    }
    bool is_empty() {
        const Things things = world_.things();
        return !things.contains("init " + uuid_.to_string()) &&
               !things.contains("clone " + uuid_.to_string()) &&
               !things.contains("mounts " + uuid_.to_string());
    }

  private:
    const Uuid uuid_ = Uuid::generate().value();
    TempDir directory_;
    World world_{directory_.path()};
    std::unique_ptr<daemon::Runtime> runtime_ = fake_runtime(world_);
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, MonitorContract, FakeMonitors);

} // namespace

} // namespace lodge::test
