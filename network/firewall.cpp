#include "network/firewall_layout.hpp"
#include "network/network.hpp"
#include "network/nft_query.hpp"
#include "network/nft_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include <linux/netfilter.h>

namespace lodge::network {

namespace {

using Cards = std::map<std::string, PortElements>; ///< by interface

Result<Cards> read_cards(const NftTable& table, mnl_socket* socket = nullptr) {
    Cards cards;
    for (std::size_t i = 0; i < kPortSets.size(); ++i) {
        ASSIGN_OR_RETURN(auto keys, list_elements(table, kPortSets[i].name, socket));
        for (NftKey& key : keys) {
            if (key.size() == kPortSets[i].key_bytes) {
                cards[interface_of(key)][i].push_back(std::move(key));
            }
        }
    }
    for (auto& [name, elements] : cards) {
        for (auto& keys : elements) {
            std::sort(keys.begin(), keys.end()); // as elements_of() has them
        }
    }
    return cards;
}

// Everything is in one batch, so a chain or an expression that is not found is one that this kernel
// does not have.
Status as_layout(Status status) {
    if (!status && status.error().sys_errno() == ENOENT) {
        return std::unexpected<Error>(
            Error(ErrorCode::unsupported,
                  "this kernel lacks a part of nf_tables that Lodge needs (nft_ct, nft_chain_nat, "
                  "nft_connlimit, nft_limit, nft_masq, nft_reject_inet)")
                .with_errno(ENOENT));
    }
    return status;
}

NftRules rules_of(const TableLayout& layout) {
    NftRules rules;
    for (const auto& [chain, rule] : layout.rules) {
        NftBatch batch;
        const std::size_t head = batch.bytes().size();
        batch.add_rule(layout.table, chain, rule);
        (void)parse_rule(batch.bytes().subspan(head), rules); // our own message is whole
    }
    return rules;
}

// The first difference between a table and the one that this release makes. Empty: none.
Result<std::string> fault_of(const TableLayout& layout, mnl_socket* socket) {
    const std::string table =
        (layout.table.family == NFPROTO_INET ? "inet " : "bridge ") + layout.table.name;
    ASSIGN_OR_RETURN(const std::string comment, table_comment(layout.table, socket));
    if (comment.empty()) {
        return table + " is not there";
    }
    if (comment != layout.table.comment) {
        return table + " is of other settings or of another release";
    }
    ASSIGN_OR_RETURN(const NftRules rules, list_rules(layout.table, socket));
    const NftRules wanted = rules_of(layout);
    for (const auto& [chain, in_order] : wanted) {
        const auto there = rules.find(chain);
        if (there == rules.end() || there->second != in_order) {
            return table + " has other rules in its chain " + chain;
        }
    }
    if (rules.size() != wanted.size()) {
        return table + " has rules in a chain that is not its own";
    }
    for (const auto& [set, elements] : layout.elements) {
        ASSIGN_OR_RETURN(auto keys, list_elements(layout.table, set, socket));
        std::sort(keys.begin(), keys.end());
        if (keys != elements) {
            return table + " has other elements in its set " + set;
        }
    }
    return "";
}

class NftFirewallDriver final : public FirewallDriver {
  public:
    Status ensure_tables(const BridgeSpec& bridge) override {
        const std::lock_guard lock(mutex_);
        return with_context(ensure(bridge), "make the firewall's tables 'lodge'");
    }

    Result<std::string> tables_fault(const BridgeSpec& bridge) override {
        ASSIGN_OR_RETURN(const std::string fault, fault_of(inet_layout(bridge), nullptr));
        return fault.empty() ? fault_of(bridge_, nullptr) : fault;
    }

    Status remove_tables() override {
        const std::lock_guard lock(mutex_);
        NftBatch batch;
        remove_layout(batch, bridge_);
        remove_layout(batch, inet_layout({}));
        cards_.clear();
        known_ = false;
        spec_.reset();
        verified_.reset();
        return with_context(commit(batch), "remove the firewall's tables 'lodge'");
    }

    Status admit(const Nic& nic) override {
        const std::lock_guard lock(mutex_);
        const std::string intent = "admit the card " + nic.host_name();
        ASSIGN_OR_RETURN(PortElements elements, with_context(elements_of(nic), intent));
        RETURN_IF_ERROR(with_context(keep_tables(), intent));
        return with_context(replace(nic.host_name(), std::move(elements)), intent);
    }

    Status expel(const std::string& host_name) override {
        const std::lock_guard lock(mutex_);
        const std::string intent = "expel the card " + host_name;
        RETURN_IF_ERROR(with_context(keep_tables(), intent));
        if (known_ && !cards_.contains(host_name)) {
            RETURN_IF_ERROR(with_context(recall(host_name), intent));
        }
        return with_context(replace(host_name, {}), intent);
    }

    // Reads the kernel and not `cards_`: the inventory looks for elements that somebody left.
    Result<std::vector<std::string>> admitted() override {
        ASSIGN_OR_RETURN(const Cards cards, read_cards(bridge_.table));
        std::vector<std::string> names;
        for (const auto& [name, elements] : cards) {
            names.push_back(name);
        }
        return names;
    }

    Result<std::vector<std::string>> misadmitted(const std::vector<Nic>& nics) override {
        ASSIGN_OR_RETURN(Cards cards, read_cards(bridge_.table));
        std::vector<std::string> names;
        for (const Nic& nic : nics) {
            ASSIGN_OR_RETURN(const PortElements wanted, elements_of(nic));
            if (cards[nic.host_name()] != wanted) {
                names.push_back(nic.host_name());
            }
        }
        return names;
    }

  private:
    Status ensure(const BridgeSpec& bridge) {
        RETURN_IF_ERROR(open());
        const TableLayout inet = inet_layout(bridge);
        ASSIGN_OR_RETURN(const std::uint32_t before, rule_set_generation(socket_.get()));
        ASSIGN_OR_RETURN(const std::string comment, table_comment(bridge_.table, socket_.get()));
        if (!known_ && same_elements(comment)) {
            RETURN_IF_ERROR(load());
        }
        known_ = true;
        spec_ = bridge;
        verified_ = before;
        ASSIGN_OR_RETURN(const std::string inet_fault, fault_of(inet, socket_.get()));
        ASSIGN_OR_RETURN(const std::string bridge_fault, fault_of(bridge_, socket_.get()));
        return inet_fault.empty() && bridge_fault.empty() ? Status{} : rebuild(inet);
    }

    // Another program may have changed our tables since the last look, such as `nft flush ruleset`.
    // If no table has changed, the check costs one query.
    Status keep_tables() {
        if (!spec_) {
            return {};
        }
        RETURN_IF_ERROR(open());
        const auto now = rule_set_generation(socket_.get());
        if (now && verified_ == *now) {
            return {};
        }
        const Status status = renew();
        if (!status) {
            socket_.reset(); // the rest of an answer may be in it
            verified_.reset();
        }
        return status;
    }

    Status renew() {
        RETURN_IF_ERROR(ensure(*spec_));
        ASSIGN_OR_RETURN(const Cards there, read_cards(bridge_.table, socket_.get()));
        return there == cards_ ? Status{} : rebuild(inet_layout(*spec_));
    }

    Status open() {
        if (!socket_) {
            ASSIGN_OR_RETURN(socket_, open_nft_socket());
        }
        return {};
    }

    Status load() {
        ASSIGN_OR_RETURN(cards_, read_cards(bridge_.table));
        known_ = true;
        return {};
    }

    // Another process admitted this card.
    Status recall(const std::string& name) {
        ASSIGN_OR_RETURN(Cards there, read_cards(bridge_.table));
        if (const auto card = there.find(name); card != there.end()) {
            cards_.insert(std::move(*card));
        }
        return {};
    }

    // Writes both tables and the elements of every card in one step: no frame meets a half of them.
    Status rebuild(const TableLayout& inet) {
        NftBatch batch;
        write_layout(batch, inet);
        write_layout(batch, bridge_);
        for (std::size_t i = 0; i < kPortSets.size(); ++i) {
            std::vector<NftKey> keys;
            for (const auto& [name, elements] : cards_) {
                keys.insert(keys.end(), elements[i].begin(), elements[i].end());
            }
            batch.add_elements(bridge_.table, kPortSets[i].name, keys);
        }
        return as_layout(commit(batch));
    }

    // Replaces the elements of the card by `wanted`. `cards_` saves reading the sets. If the kernel
    // has other elements (somebody flushed them), everything is made anew.
    Status replace(const std::string& name, PortElements wanted) {
        if (!known_) {
            RETURN_IF_ERROR(load());
        }
        Status status = exchange(name, wanted);
        if (!status && status.error().sys_errno() == ENOENT) {
            RETURN_IF_ERROR(spec_ ? rebuild(inet_layout(*spec_)) : load());
            status = exchange(name, wanted);
        }
        RETURN_IF_ERROR(std::move(status));
        if (wanted == PortElements{}) {
            cards_.erase(name);
        } else {
            cards_[name] = std::move(wanted);
        }
        return {};
    }

    Status exchange(const std::string& name, const PortElements& wanted) {
        const auto known = cards_.find(name);
        NftBatch batch;
        for (std::size_t i = 0; i < kPortSets.size(); ++i) {
            if (known != cards_.end()) {
                batch.delete_elements(bridge_.table, kPortSets[i].name, known->second[i]);
            }
            batch.add_elements(bridge_.table, kPortSets[i].name, wanted[i]);
        }
        return commit(batch);
    }

    // The driver keeps one socket, because closing one waits until the kernel has freed the objects
    // that the last batch removed, 10-30 ms (nft_rcv_nl_event).
    Status commit(NftBatch& batch) {
        RETURN_IF_ERROR(open());
        Status status = batch.commit(socket_.get());
        const std::optional<std::uint32_t> before = std::exchange(verified_, std::nullopt);
        if (!status && status.error().sys_errno() == ENOBUFS) {
            // The verdict was lost. Another could be read in its place, and whether the batch was
            // done is unknown.
            socket_.reset();
            known_ = false;
        }
        if (status && before) { // each batch is one step: no other came between
            const auto now = rule_set_generation(socket_.get());
            verified_ = now && *now == *before + 1 ? std::optional(*now) : std::nullopt;
        }
        return status;
    }

    std::mutex mutex_; ///< the tables of the kernel and the members below
    const TableLayout bridge_ = bridge_layout();
    NftSocket socket_;                      ///< opened with the first batch
    std::optional<BridgeSpec> spec_;        ///< as of ensure_tables
    Cards cards_;                           ///< elements in the sets
    bool known_ = false;                    ///< whether cards_ is valid
    std::optional<std::uint32_t> verified_; ///< generation at which the tables were right
};

} // namespace

std::unique_ptr<FirewallDriver> make_firewall_driver() {
    return std::make_unique<NftFirewallDriver>();
}

} // namespace lodge::network
