// Runs the contract of the control groups on the fake ones.
#include "tests/contract/groups.hpp"
#include "tests/fault/fakes.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>
#include <string>

namespace lodge::test {

namespace {

class FakeGroups : public ::testing::Test {
  protected:
    cgroup::GroupManager& groups() { return *groups_; }
    std::string name() const { return "ct-" + uuid_; }
    void enter() {
        world_.happen([&](Things& things) { things.insert("init " + uuid_); });
    }

  private:
    const std::string uuid_ = Uuid::generate().value().to_string();
    TempDir directory_;
    World world_{directory_.path()};
    std::unique_ptr<cgroup::GroupManager> groups_ = fake_groups(world_);
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, GroupContract, FakeGroups);

} // namespace

} // namespace lodge::test
