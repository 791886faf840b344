#pragma once

#include "network/network.hpp"
#include "network/nft_batch.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

/// Which tables, chains, sets and rules there are. Pure: values, no sockets.
namespace lodge::network {

/// Meaning of the sets' elements. Raise it when an element of an older release would mean something
/// else: elements are kept only over layouts of one number.
inline constexpr int kLayoutNumber = 2;

/// A table with all that is constant in it.
struct TableLayout {
    NftTable table;
    std::vector<NftSet> sets;
    std::vector<NftChain> chains;
    std::vector<std::pair<std::string, NftRule>> rules;                ///< chain and rule, in order
    std::vector<std::pair<std::string, std::vector<NftKey>>> elements; ///< the constant ones
};

/// `inet lodge`: what is forwarded, what reaches the host, masquerading.
[[nodiscard]] TableLayout inet_layout(const BridgeSpec& bridge);
/// `bridge lodge`: anti-spoofing.
[[nodiscard]] TableLayout bridge_layout();

/// Removes the table, if it is there, and makes it anew with its comment: the layout's number and
/// fingerprint, from which a later daemon sees whether it is the same.
void write_layout(NftBatch& batch, const TableLayout& layout);
/// Removes the table, if it is there.
void remove_layout(NftBatch& batch, const TableLayout& layout);
[[nodiscard]] std::string layout_comment(const TableLayout& layout);
/// Whether the elements of a table with this comment mean what ours do.
[[nodiscard]] bool same_elements(const std::string& comment);

/// The elements of one container's card, by set: in the order of kPortSets.
using PortElements = std::array<std::vector<NftKey>, 4>;
extern const std::array<NftSet, std::tuple_size_v<PortElements>> kPortSets;
/// Of which interface an element is; empty for a key too short to say.
[[nodiscard]] std::string interface_of(const NftKey& key);
[[nodiscard]] Result<PortElements> elements_of(const Nic& nic);

} // namespace lodge::network
