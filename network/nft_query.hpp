#pragma once

#include "network/nft_batch.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

struct mnl_socket;

namespace lodge::network {

/// A table's rules by chain, in order, each as what it is made of: the names of its expressions,
/// its verdicts and its comment.
using NftRules = std::map<std::string, std::vector<std::string>>;

/// Each on `socket`, or on one of its own; after an error a socket may hold the rest of an answer.
/// The keys of a set; empty when the set or the table is not there.
[[nodiscard]] Result<std::vector<NftKey>>
list_elements(const NftTable& table, const std::string& set, mnl_socket* socket = nullptr);
/// The comment of a table; empty when it has none, sleeps (dormant) or is not there.
[[nodiscard]] Result<std::string> table_comment(const NftTable& table,
                                                mnl_socket* socket = nullptr);
/// Empty when the table is not there.
[[nodiscard]] Result<NftRules> list_rules(const NftTable& table, mnl_socket* socket = nullptr);
/// A number that grows with each change of any table of this namespace.
[[nodiscard]] Result<std::uint32_t> rule_set_generation(mnl_socket* socket);

/// Parsers of what the kernel answers: pure, and safe on any bytes. False: `message` is not a whole
/// netlink message of that kind.
[[nodiscard]] bool parse_elements(std::span<const char> message, std::vector<NftKey>& keys);
[[nodiscard]] bool parse_table_comment(std::span<const char> message, std::string& comment);
[[nodiscard]] bool parse_rule(std::span<const char> message, NftRules& rules);
/// nft(8)'s user data: type, length and value of one byte, one byte and so many; the text of the
/// first comment in it, or empty.
[[nodiscard]] std::string comment_in(std::span<const unsigned char> user_data);

} // namespace lodge::network
