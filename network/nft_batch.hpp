#pragma once

#include "lib/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct mnl_socket;
struct nlmsghdr;
struct nftnl_rule;

namespace lodge::network {

struct NftTable {
    std::uint16_t family = 0; ///< NFPROTO_INET, NFPROTO_BRIDGE, ...
    std::string name;
    std::string comment; ///< as nft(8) shows it; at most 127 characters
    /// Of the socket that adds it: nobody else can change it, and it goes when that is closed.
    bool is_owned = false;
};

struct NftChain {
    std::string name;
    std::string type;       ///< "filter", "nat"; empty: not a base chain
    std::uint32_t hook = 0; ///< NF_INET_* or NF_BR_*
    std::int32_t priority = 0;
};

/// A set of concatenated keys, each part padded to 4 bytes as nf_tables has it.
struct NftSet {
    std::string name;
    std::uint32_t key_type = 0; ///< as nft(8) shows it: its type numbers, 6 bits a part
    std::uint32_t key_bytes = 0;
    std::uint32_t dynamic_size = 0; ///< not 0: rules add its elements, at most so many
    bool forgets = false;           ///< they go by themselves after a time
};

using NftKey = std::vector<std::uint8_t>;

struct RuleFree {
    void operator()(nftnl_rule* rule) const;
};
using NftRule = std::unique_ptr<nftnl_rule, RuleFree>;

/// Commands to nf_tables, sent as one batch: all of them happen or none does, over all tables.
class NftBatch {
  public:
    NftBatch();

    /// Adding what is there is success, if it is the same.
    void add_table(const NftTable& table);
    void delete_table(const NftTable& table);
    void add_chain(const NftTable& table, const NftChain& chain);
    void add_set(const NftTable& table, const NftSet& set);
    /// At the end of the chain.
    void add_rule(const NftTable& table, const std::string& chain, const NftRule& rule);
    void add_elements(const NftTable& table, const std::string& set, std::span<const NftKey> keys);
    /// Every key must be in the set.
    void
    delete_elements(const NftTable& table, const std::string& set, std::span<const NftKey> keys);

    /// The commands so far as bytes: equal for equal commands.
    [[nodiscard]] std::span<const char> bytes() const noexcept { return {buffer_.data(), used_}; }

    /// Sends and waits for the kernel's verdict. sys_errno() is the verdict on the first command
    /// that was refused: ENOENT when something it names is not there.
    [[nodiscard]] Status commit(mnl_socket* socket);

  private:
    nlmsghdr* begin(const NftTable& table, std::uint16_t type, std::uint16_t flags);
    void end(const nlmsghdr* message);
    void elements(const NftTable& table,
                  const std::string& set,
                  std::span<const NftKey> keys,
                  std::uint16_t type);

    std::vector<char> buffer_;
    std::size_t used_ = 0;
    std::size_t last_ = 0; ///< where the last command starts
    std::uint32_t sequence_ = 0;
};

} // namespace lodge::network
