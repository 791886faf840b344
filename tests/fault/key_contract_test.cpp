// Runs the contract of key providers on the fake one.
#include "tests/contract/keys.hpp"
#include "tests/fault/fakes.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>

namespace lodge::test {

namespace {

class FakeKeys : public ::testing::Test {
  protected:
    storage::KeyProvider& keys() { return *keys_; }

  private:
    TempDir directory_;
    World world_{directory_.path()};
    std::unique_ptr<storage::KeyProvider> keys_ = fake_keys(world_);
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, KeyContract, FakeKeys);

} // namespace

} // namespace lodge::test
