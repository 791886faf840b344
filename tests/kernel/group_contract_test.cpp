// The real control groups are held to what the fake of tests/fault is.
#include "tests/contract/groups.hpp"
#include "tests/kernel/group_lab.hpp"

#include <memory>
#include <string>

namespace lodge::test {

namespace {

class RealGroups : public GroupLab {
  protected:
    void TearDown() override {
        resident_.reset();
        GroupLab::TearDown();
    }
    cgroup::GroupManager& groups() { return *groups_; }
    static std::string name() { return "ct-1"; }
    void enter() {
        const auto group = kernel::open_directory(place_ + "/" + name());
        ASSERT_TRUE(group) << group.error().to_string();
        resident_ = std::make_unique<Resident>(group->get());
    }

  private:
    std::unique_ptr<Resident> resident_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Real, GroupContract, RealGroups);

} // namespace

} // namespace lodge::test
