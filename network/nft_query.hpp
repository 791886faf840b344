#pragma once

#include "network/nft_batch.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace lodge::network {

/// The keys of a set; empty when the set or the table is not there.
[[nodiscard]] Result<std::vector<NftKey>> list_elements(const NftTable& table,
                                                        const std::string& set);
/// The comment of a table; empty when it has none or is not there.
[[nodiscard]] Result<std::string> table_comment(const NftTable& table);
/// How many rules the table has; none when it is not there.
[[nodiscard]] Result<std::size_t> count_rules(const NftTable& table);

/// Parsers of what the kernel answers: pure, and safe on any bytes. False: `message` is not a whole
/// netlink message of that kind.
[[nodiscard]] bool parse_elements(std::span<const char> message, std::vector<NftKey>& keys);
[[nodiscard]] bool parse_table_comment(std::span<const char> message, std::string& comment);
/// nft(8)'s user data: type, length and value of one byte, one byte and so many; the text of the
/// first comment in it, or empty.
[[nodiscard]] std::string comment_in(std::span<const unsigned char> user_data);

} // namespace lodge::network
