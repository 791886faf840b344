#pragma once

#include "network/network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lodge::test {

/// The guarantees of the drivers of links and of the firewall for their callers
/// (network/network.hpp). The tests run on the fault tier's fakes and on the real ones.
///
/// `Host` is a fixture that has `links()` and `firewall()` of one network, with its bridge and its
/// tables; `card(number)`, which has no element and no link yet; `place()`, a namespace for cards.
template <typename Host>
class NetworkContract : public Host {
  protected:
    void expect_done(const Status& status) { EXPECT_TRUE(status) << status.error().to_string(); }
    std::vector<std::string> cards(const std::string& bridge) {
        std::vector<std::string> names;
        const auto found = this->links().cards(bridge);
        EXPECT_TRUE(found) << found.error().to_string();
        for (const network::FoundCard& card : found.value_or(std::vector<network::FoundCard>())) {
            EXPECT_EQ(card.fault, "") << card.name;
            names.push_back(card.name);
        }
        return names;
    }
    std::vector<std::string> admitted() {
        const auto names = this->firewall().admitted();
        EXPECT_TRUE(names) << names.error().to_string();
        return names.value_or(std::vector<std::string>{"unknown"});
    }
    std::vector<std::string> misadmitted(const std::vector<network::Nic>& nics) {
        const auto names = this->firewall().misadmitted(nics);
        EXPECT_TRUE(names) << names.error().to_string();
        return names.value_or(std::vector<std::string>{"unknown"});
    }
};

TYPED_TEST_SUITE_P(NetworkContract);

TYPED_TEST_P(NetworkContract, ListsACardFromAttachToDetach) {
    using ::testing::ElementsAre;
    using ::testing::IsEmpty;
    const network::Nic nic = this->card(2);
    EXPECT_THAT(this->cards(nic.bridge), IsEmpty());
    this->expect_done(this->firewall().admit(nic));
    this->expect_done(this->links().attach(nic, this->place()));
    EXPECT_THAT(this->cards(nic.bridge), ElementsAre(nic.host_name()));
    this->expect_done(this->links().reattach(nic));
    this->expect_done(this->links().detach(nic.host_name()));
    EXPECT_THAT(this->cards(nic.bridge), IsEmpty());
    EXPECT_THAT(this->admitted(), ElementsAre(nic.host_name())) << "that is the firewall's";
    this->expect_done(this->firewall().expel(nic.host_name()));
}

TYPED_TEST_P(NetworkContract, TakesWhatIsNotThereForDone) {
    const network::Nic nic = this->card(2);
    this->expect_done(this->links().detach(nic.host_name()));
    this->expect_done(this->firewall().expel(nic.host_name()));
    const Status again = this->links().reattach(nic);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::not_found) << again.error().to_string();
}

TYPED_TEST_P(NetworkContract, AdmitsACardOnceHoweverOften) {
    using ::testing::ElementsAre;
    using ::testing::IsEmpty;
    const network::Nic nic = this->card(2);
    EXPECT_THAT(this->misadmitted({nic}), ElementsAre(nic.host_name()));
    this->expect_done(this->firewall().admit(nic));
    this->expect_done(this->firewall().admit(nic));
    EXPECT_THAT(this->admitted(), ElementsAre(nic.host_name()));
    EXPECT_THAT(this->misadmitted({nic}), IsEmpty());
    this->expect_done(this->firewall().expel(nic.host_name()));
    EXPECT_THAT(this->admitted(), IsEmpty());
    EXPECT_THAT(this->misadmitted({nic}), ElementsAre(nic.host_name()));
}

TYPED_TEST_P(NetworkContract, AdmitsTheAddressesThatWereGivenLast) {
    using ::testing::ElementsAre;
    using ::testing::IsEmpty;
    const network::Nic before = this->card(2);
    network::Nic after = before;
    after.addresses = this->card(3).addresses;
    this->expect_done(this->firewall().admit(before));
    EXPECT_THAT(this->misadmitted({after}), ElementsAre(after.host_name()));
    this->expect_done(this->firewall().admit(after));
    EXPECT_THAT(this->misadmitted({after}), IsEmpty());
    EXPECT_THAT(this->misadmitted({before}), ElementsAre(before.host_name()));
    this->expect_done(this->firewall().expel(after.host_name()));
}

REGISTER_TYPED_TEST_SUITE_P(NetworkContract,
                            ListsACardFromAttachToDetach,
                            TakesWhatIsNotThereForDone,
                            AdmitsACardOnceHoweverOften,
                            AdmitsTheAddressesThatWereGivenLast);

} // namespace lodge::test
