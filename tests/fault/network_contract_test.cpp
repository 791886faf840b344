// Runs the contract of the network drivers on the fakes of links and firewall.
#include "tests/contract/network.hpp"
#include "tests/fault/fakes.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>
#include <string>

namespace lodge::test {

namespace {

class FakeNetwork : public ::testing::Test {
  protected:
    network::LinkDriver& links() { return *links_; }
    network::FirewallDriver& firewall() { return *firewall_; }
    static network::Nic card(int number) {
        const std::string address = "10.99.0." + std::to_string(number) + "/24";
        return {.uuid = Uuid::generate().value(),
                .bridge = "lodge0",
                .addresses = {model::CidrAddress::parse(address).value()}};
    }
    static network::CardEnd place() { return network::InNamespace{}; }

  private:
    TempDir directory_;
    World world_{directory_.path()};
    std::unique_ptr<network::LinkDriver> links_ = fake_links(world_);
    std::unique_ptr<network::FirewallDriver> firewall_ = fake_firewall(world_);
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, NetworkContract, FakeNetwork);

} // namespace

} // namespace lodge::test
