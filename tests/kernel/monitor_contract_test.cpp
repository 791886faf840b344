// The real monitors are held to what the fake of tests/fault is.
#include "lib/kernel/fs.hpp"
#include "tests/contract/monitors.hpp"
#include "tests/support/guest_container.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/requires.hpp"

#include <memory>

namespace lodge::test {

namespace {

class RealMonitors : public LeakChecked {
  protected:
    void SetUp() override {
        REQUIRES("root");
        REQUIRES("cgroup2");
        LeakChecked::SetUp();
        guest_ = std::make_unique<GuestContainer>();
        const Status prepared = guest_->prepare();
        ASSERT_TRUE(prepared) << prepared.error().to_string();
        runtime_ = guest_->another_runtime();
        ASSERT_TRUE(runtime_);
    }
    void TearDown() override {
        if (guest_) {
            runtime_.reset();
            guest_.reset();
            LeakChecked::TearDown();
        }
    }
    daemon::Runtime& runtime() { return *runtime_; }
    std::unique_ptr<daemon::Runtime> another_runtime() { return guest_->another_runtime(); }
    const Uuid& uuid() const { return guest_->request.uuid; }
    Result<std::unique_ptr<daemon::StartingContainer>> build() { return guest_->begin(); }
    void await_up(daemon::Monitor& monitor) {
        const Status up = GuestContainer::await_up(monitor);
        ASSERT_TRUE(up) << up.error().to_string();
    }
    void kill_group() {
        const auto group = kernel::open_directory(guest_->group_path());
        ASSERT_TRUE(group) << group.error().to_string();
        ASSERT_TRUE(kernel::write_control(group->get(), "cgroup.kill", "1"));
    }
    bool is_empty() { return guest_->await_empty_group().has_value(); }

  private:
    std::unique_ptr<GuestContainer> guest_;
    std::unique_ptr<daemon::Runtime> runtime_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Real, MonitorContract, RealMonitors);

} // namespace

} // namespace lodge::test
