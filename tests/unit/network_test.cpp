#include "network/firewall_layout.hpp"
#include "network/nft_query.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

namespace lodge::network {
namespace {

BridgeSpec bridge(const std::string& network) {
    return {.name = "lodge0", .addresses = {model::CidrAddress::parse(network).value()}};
}

Nic nic(const std::vector<std::string>& addresses) {
    Nic made{.uuid = Uuid::parse("00112233-4455-4677-8899-aabbccddeeff").value(),
             .bridge = "lodge0",
             .mac_address = "02:bb:cc:dd:ee:ff"};
    for (const std::string& address : addresses) {
        made.addresses.push_back(model::CidrAddress::parse(address).value());
    }
    return made;
}

/// A netlink message as the kernel would send it, from attributes put one after the other.
class MessageWriter {
  public:
    explicit MessageWriter(std::uint16_t message) {
        nlmsghdr header{};
        header.nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
        const nfgenmsg family{.nfgen_family = NFPROTO_BRIDGE, .version = 0, .res_id = 0};
        put(&header, sizeof header);
        put(&family, sizeof family);
    }
    std::size_t open(std::uint16_t type) {
        const std::size_t at = bytes_.size();
        const nlattr attribute{.nla_len = 0, .nla_type = type};
        put(&attribute, sizeof attribute);
        return at;
    }
    void close(std::size_t at) {
        const auto size = static_cast<std::uint16_t>(bytes_.size() - at);
        std::memcpy(bytes_.data() + at, &size, sizeof size);
        bytes_.resize((bytes_.size() + 3) / 4 * 4);
    }
    void attribute(std::uint16_t type, const std::string& value) {
        const std::size_t at = open(type);
        put(value.data(), value.size());
        close(at);
    }
    std::vector<char> finish() {
        const auto size = static_cast<std::uint32_t>(bytes_.size());
        std::memcpy(bytes_.data(), &size, sizeof size);
        return bytes_;
    }

  private:
    void put(const void* data, std::size_t size) {
        const auto* from = static_cast<const char*>(data);
        bytes_.insert(bytes_.end(), from, from + size);
    }
    std::vector<char> bytes_;
};

std::vector<char> elements_message(const std::vector<std::string>& keys) {
    MessageWriter writer(NFT_MSG_NEWSETELEM);
    writer.attribute(NFTA_SET_ELEM_LIST_TABLE, std::string("lodge\0", 6));
    writer.attribute(NFTA_SET_ELEM_LIST_SET, std::string("ports\0", 6));
    const std::size_t list = writer.open(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED);
    for (const std::string& key : keys) {
        const std::size_t element = writer.open(NFTA_LIST_ELEM | NLA_F_NESTED);
        const std::size_t data = writer.open(NFTA_SET_ELEM_KEY | NLA_F_NESTED);
        writer.attribute(NFTA_DATA_VALUE, key);
        writer.close(data);
        writer.close(element);
    }
    writer.close(list);
    return writer.finish();
}

TEST(FirewallLayout, HasAFingerprintThatFollowsTheContents) {
    const auto comment = [](const BridgeSpec& spec) { return inet_layout(spec).table.comment; };
    BridgeSpec spec = bridge("10.77.0.1/16");
    const std::string first = comment(spec);
    EXPECT_EQ(comment(spec), first);
    EXPECT_NE(comment(bridge("10.78.0.1/16")), first);
    EXPECT_NE(comment(bridge("10.77.0.9/16")), first) << "what goes to the gateway is tracked";
    std::reverse(spec.host_services.begin(), spec.host_services.end());
    EXPECT_EQ(comment(spec), first) << "the same set";
    spec.host_services.pop_back();
    EXPECT_NE(comment(spec), first);
    spec = bridge("10.77.0.1/16");
    spec.name = "lodge1";
    EXPECT_NE(comment(spec), first);
    spec = bridge("10.77.0.1/16");
    spec.most_connections = 16;
    EXPECT_NE(comment(spec), first);
    EXPECT_EQ(bridge_layout().table.comment, bridge_layout().table.comment);
    EXPECT_LT(first.size(), 128U) << "nft(8) shows no more";
}

TEST(FirewallLayout, KnowsWhoseElementsItCanKeep) {
    EXPECT_TRUE(same_elements(bridge_layout().table.comment));
    EXPECT_TRUE(same_elements("made by lodged, layout 2 0000000000000000"));
    for (const char* comment : {"",
                                "made by lodged, layout 1 0",
                                "made by lodged, layout 21 0",
                                "made by lodged, layout 2",
                                "the operator's own"}) {
        EXPECT_FALSE(same_elements(comment)) << comment;
    }
}

TEST(PortElements, AreOneSourceEachAndTheLinkLocalOne) {
    const PortElements elements =
        elements_of(nic({"10.77.0.2/16", "fd77::2/64", "10.77.0.2/16"})).value();
    EXPECT_EQ(elements[0].size(), 1U);
    EXPECT_EQ(elements[1].size(), 1U);
    EXPECT_EQ(elements[2].size(), 1U) << "given twice";
    EXPECT_EQ(elements[3].size(), 2U);
    for (std::size_t set = 0; set < elements.size(); ++set) {
        for (const NftKey& key : elements[set]) {
            EXPECT_EQ(key.size(), kPortSets[set].key_bytes) << kPortSets[set].name;
            EXPECT_EQ(interface_of(key), "ve-001122334455");
        }
    }
    const std::vector<std::uint8_t> link_local{
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x00, 0xbb, 0xcc, 0xff, 0xfe, 0xdd, 0xee, 0xff};
    EXPECT_TRUE(std::any_of(elements[3].begin(), elements[3].end(), [&](const NftKey& key) {
        return std::equal(link_local.begin(), link_local.end(), key.begin() + 16);
    }));
}

TEST(PortElements, BelongToNobodyWhenTooShort) {
    EXPECT_EQ(interface_of({}), "");
    EXPECT_EQ(interface_of(NftKey(15, 'v')), "");
    EXPECT_EQ(interface_of(NftKey(16, 'v')), std::string(16, 'v'));
}

TEST(ParseElements, ReadsKeysAndRefusesWhatIsCutShort) {
    const std::vector<char> message =
        elements_message({std::string(16, 'a'), std::string(16, 'b')});
    std::vector<NftKey> keys;
    ASSERT_TRUE(parse_elements(message, keys));
    EXPECT_EQ(keys, (std::vector<NftKey>{NftKey(16, 'a'), NftKey(16, 'b')}));
    for (std::size_t size = 0; size < message.size(); ++size) {
        std::vector<NftKey> none;
        EXPECT_FALSE(parse_elements(std::span(message).subspan(0, size), none)) << size;
    }
    std::vector<char> damaged = message; // the length of the first attribute, beyond the end
    damaged[sizeof(nlmsghdr) + sizeof(nfgenmsg) + 1] = 0x7f;
    EXPECT_FALSE(parse_elements(damaged, keys));
    std::string comment;
    EXPECT_FALSE(parse_table_comment(message, comment)) << "of another kind";
}

TEST(TableComment, IsTheFirstCommentOfWholeUserData) {
    const auto comment = [](const std::string& bytes) {
        return comment_in({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
    };
    using std::string_literals::operator""s;
    EXPECT_EQ(comment(""), "");
    EXPECT_EQ(comment("\x00\x04"
                      "abc\x00"s),
              "abc");
    EXPECT_EQ(comment("\x00\x03"
                      "abc"s),
              "abc")
        << "not terminated";
    EXPECT_EQ(comment("\x07\x02"
                      "xx\x00\x02y\x00"s),
              "y")
        << "behind another value";
    EXPECT_EQ(comment("\x00\x09"
                      "abc\x00"s),
              "")
        << "longer than the data";
    EXPECT_EQ(comment("\x00"s), "");
}

TEST(TableComment, IsReadFromTheKernelsMessage) {
    MessageWriter writer(NFT_MSG_NEWTABLE);
    writer.attribute(NFTA_TABLE_NAME, std::string("lodge\0", 6));
    writer.attribute(NFTA_TABLE_USERDATA, std::string("\0\x03hi\0", 5));
    std::string comment;
    ASSERT_TRUE(parse_table_comment(writer.finish(), comment));
    EXPECT_EQ(comment, "hi");
    EXPECT_FALSE(parse_table_comment({}, comment));
}

} // namespace
} // namespace lodge::network
