#pragma once

#include "network/nft_batch.hpp"

#include <cstdint>
#include <string>
#include <vector>

struct nftnl_expr;

namespace lodge::network {

/// Builds one rule from left to right, as nft(8) would read it. Register 0 is for the verdict; keys
/// of sets are gathered from 32-bit register `kKeyStart` on.
class RuleBuilder {
  public:
    static constexpr unsigned kKeyStart = 0; ///< NFT_REG32_00 + 0
    RuleBuilder();

    /// Loads the interface's name (16 bytes, zero-padded) at 32-bit register `at`.
    RuleBuilder& load_in_interface(unsigned at);
    RuleBuilder& load_out_interface(unsigned at);
    RuleBuilder& load_ether_type(unsigned at);          ///< 2 bytes, network order
    RuleBuilder& load_ip_protocol_version(unsigned at); ///< meta nfproto, 1 byte
    RuleBuilder& load_transport_protocol(unsigned at);  ///< meta l4proto, 1 byte
    RuleBuilder& load_connection_state(unsigned at);    ///< 4 bytes, host order
    RuleBuilder& load_connection_status(unsigned at);   ///< 4 bytes, host order
    /// Payload bytes; `base` is NFT_PAYLOAD_*_HEADER.
    RuleBuilder&
    load_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t bytes, unsigned at);
    RuleBuilder& mask(unsigned at, const std::vector<std::uint8_t>& bits);
    RuleBuilder& equals(unsigned at, const std::vector<std::uint8_t>& value);
    RuleBuilder& differs(unsigned at, const std::vector<std::uint8_t>& value);
    /// Goes on if the key from `kKeyStart` on is in the set.
    RuleBuilder& in_set(const std::string& set);
    RuleBuilder& not_in_set(const std::string& set);
    /// Goes on if connections with the key from `kKeyStart` on are more than `most` at a time, or
    /// come faster than `each_second` once `burst` of them came. Each key has its element in the
    /// dynamic set `set`. Pre: the packet opens a connection.
    RuleBuilder& more_than(const std::string& set, std::uint32_t most);
    RuleBuilder&
    faster_than(const std::string& set, std::uint32_t each_second, std::uint32_t burst);

    /// What nft(8) shows behind the rule; at most 127 characters.
    RuleBuilder& comment(const std::string& text);
    RuleBuilder& count(); ///< packets and bytes that come this far

    [[nodiscard]] NftRule accept();
    [[nodiscard]] NftRule drop();
    [[nodiscard]] NftRule go_to(const std::string& chain);
    [[nodiscard]] NftRule jump_to(const std::string& chain);
    [[nodiscard]] NftRule do_not_track();
    [[nodiscard]] NftRule masquerade();
    /// Drops and answers "administratively prohibited" in the packet's own family (inet only).
    [[nodiscard]] NftRule reject();

  private:
    RuleBuilder& meta(std::uint32_t key, unsigned at);
    RuleBuilder& connection(std::uint32_t key, unsigned at);
    RuleBuilder&
    compare(std::uint32_t operation, unsigned at, const std::vector<std::uint8_t>& value);
    RuleBuilder& lookup(const std::string& set, std::uint32_t flags);
    RuleBuilder& in_dynamic_set(const std::string& set, nftnl_expr* state, std::uint64_t timeout);
    NftRule verdict(std::uint32_t code, const std::string& chain);
    NftRule rule_;
};

/// An interface name as nf_tables compares it: 16 bytes, zero-padded.
[[nodiscard]] std::vector<std::uint8_t> interface_key(const std::string& name);

} // namespace lodge::network
