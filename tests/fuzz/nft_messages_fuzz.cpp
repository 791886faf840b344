#include "network/firewall_layout.hpp"
#include "network/nft_query.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <span>
#include <string>
#include <vector>

// What nf_tables answers: messages of the kernel, with user data and keys that any program of root
// may have put there.
FUZZ_TARGET(nft_messages)(const std::uint8_t* data, std::size_t size) {
    using namespace lodge::network;
    const std::span<const char> message(reinterpret_cast<const char*>(data), size);
    std::vector<NftKey> keys;
    if (parse_elements(message, keys)) {
        for (const NftKey& key : keys) {
            lodge::test::must(key.size() <= size);
            lodge::test::must(interface_of(key).size() <= 16);
        }
    }
    std::string comment;
    if (parse_table_comment(message, comment)) {
        lodge::test::must(comment.size() < 256);
        (void)same_elements(comment);
    }
    NftRules rules;
    lodge::test::must(parse_rule(message, rules) == !rules.empty());
    lodge::test::must(comment_in({data, size}).find('\0') == std::string::npos);
    return 0;
}
