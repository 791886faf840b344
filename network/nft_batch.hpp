#pragma once

#include "lib/base/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct mnl_socket;
struct mnl_nlmsg_batch;
struct nlmsghdr;
struct nftnl_rule;
struct nftnl_set;

namespace lodge::network {

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
};

using NftKey = std::vector<std::uint8_t>;

struct RuleFree {
    void operator()(nftnl_rule* rule) const;
};
using NftRule = std::unique_ptr<nftnl_rule, RuleFree>;

/// Commands to nf_tables on one table, sent as one batch: all of it happens or nothing does.
class NftBatch {
  public:
    /// `family` is NFPROTO_INET, NFPROTO_BRIDGE, ...
    NftBatch(std::uint32_t family, std::string table);
    NftBatch(NftBatch&&) noexcept;
    NftBatch& operator=(NftBatch&&) = delete;
    ~NftBatch();

    /// Adding what is there is success, if it is the same.
    void add_table();
    void delete_table();
    void add_chain(const NftChain& chain);
    void add_set(const NftSet& set);
    /// Removes all rules of a chain.
    void flush_chain(const std::string& chain);
    /// Takes a rule made for `chain`; its table and family are filled in.
    void add_rule(const std::string& chain, NftRule rule);
    void add_elements(const std::string& set, std::span<const NftKey> keys);
    /// Every key must be in the set.
    void delete_elements(const std::string& set, std::span<const NftKey> keys);

    /// Sends and waits for the kernel's verdict on each command.
    [[nodiscard]] Status commit();

  private:
    nlmsghdr* begin(std::uint16_t type, std::uint16_t flags);
    void end();
    void elements(const std::string& set,
                  std::span<const NftKey> keys,
                  std::uint16_t type,
                  std::uint16_t flags);

    std::uint32_t family_;
    std::string table_;
    std::vector<char> buffer_;
    mnl_nlmsg_batch* batch_;
    std::uint32_t sequence_ = 0;
};

/// The keys of a set; empty when the set or the table is not there.
[[nodiscard]] Result<std::vector<NftKey>>
list_elements(std::uint32_t family, const std::string& table, const std::string& set);

/// Reads one message of a set dump into `keys`. Pure: for list_elements and for its fuzz target.
[[nodiscard]] bool parse_elements(const nlmsghdr* message, std::vector<NftKey>& keys);

} // namespace lodge::network
