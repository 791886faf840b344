// The real drivers of links and firewall are held to what the fakes of tests/fault are.
#include "tests/contract/network.hpp"
#include "tests/support/network_lab.hpp"

namespace lodge::test {

namespace {

class RealNetwork : public NetworkLab {
  protected:
    network::LinkDriver& links() { return *links_; }
    network::FirewallDriver& firewall() { return *firewall_; }
    [[nodiscard]] network::Nic card(int number) const { return make_nic(number); }
    network::CardEnd place() { return network::InNamespace{hosts_.emplace_back().space.fd()}; }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Real, NetworkContract, RealNetwork);

} // namespace

} // namespace lodge::test
