#include "network/firewall_layout.hpp"
#include "network/network.hpp"
#include "network/nft_query.hpp"
#include "network/nft_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace lodge::network {

namespace {

using Cards = std::map<std::string, PortElements>; ///< by interface

Result<Cards> read_cards(const NftTable& table) {
    Cards cards;
    for (std::size_t i = 0; i < kPortSets.size(); ++i) {
        ASSIGN_OR_RETURN(auto keys, list_elements(table, kPortSets[i].name));
        for (NftKey& key : keys) {
            if (key.size() == kPortSets[i].key_bytes) {
                cards[interface_of(key)][i].push_back(std::move(key));
            }
        }
    }
    return cards;
}

// Everything is written in one batch, so a chain or an expression that is not found is one that
// this kernel does not have.
Status as_layout(Status status) {
    if (!status && status.error().sys_errno() == ENOENT) {
        return std::unexpected<Error>(
            Error(ErrorCode::unsupported,
                  "this kernel lacks a part of nf_tables that Lodge needs (nft_ct, nft_chain_nat, "
                  "nft_masq, nft_reject_inet)")
                .with_errno(ENOENT));
    }
    return status;
}

Result<bool> is_as_laid_out(const TableLayout& layout) {
    ASSIGN_OR_RETURN(const std::string comment, table_comment(layout.table));
    if (comment != layout.table.comment) {
        return false;
    }
    ASSIGN_OR_RETURN(const std::size_t rules, count_rules(layout.table));
    return rules == layout.rules.size();
}

class NftFirewallDriver final : public FirewallDriver {
  public:
    Status ensure_tables(const BridgeSpec& bridge) override {
        const std::lock_guard lock(mutex_);
        return with_context(ensure(bridge), "make the firewall's tables 'lodge'");
    }

    Status remove_tables() override {
        const std::lock_guard lock(mutex_);
        NftBatch batch;
        remove_layout(batch, bridge_);
        remove_layout(batch, inet_layout({}));
        cards_.clear();
        known_ = false;
        spec_.reset();
        return with_context(commit(batch), "remove the firewall's tables 'lodge'");
    }

    Status admit(const Nic& nic) override {
        const std::lock_guard lock(mutex_);
        const std::string intent = "admit the card " + nic.host_name();
        ASSIGN_OR_RETURN(PortElements elements, with_context(elements_of(nic), intent));
        return with_context(replace(nic.host_name(), std::move(elements)), intent);
    }

    Status expel(const std::string& host_name) override {
        const std::lock_guard lock(mutex_);
        const std::string intent = "expel the card " + host_name;
        if (known_ && !cards_.contains(host_name)) {
            RETURN_IF_ERROR(with_context(recall(host_name), intent));
        }
        return with_context(replace(host_name, {}), intent);
    }

    // What the kernel has, not what we remember: this is for whoever looks for what was left.
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
            PortElements& there = cards[nic.host_name()];
            for (auto& keys : there) {
                std::sort(keys.begin(), keys.end());
            }
            if (there != wanted) {
                names.push_back(nic.host_name());
            }
        }
        return names;
    }

  private:
    Status ensure(const BridgeSpec& bridge) {
        const TableLayout inet = inet_layout(bridge);
        ASSIGN_OR_RETURN(const std::string comment, table_comment(bridge_.table));
        if (!known_ && same_elements(comment)) {
            RETURN_IF_ERROR(load());
        }
        known_ = true;
        spec_ = bridge;
        ASSIGN_OR_RETURN(const bool inet_stands, is_as_laid_out(inet));
        ASSIGN_OR_RETURN(const bool bridge_stands, is_as_laid_out(bridge_));
        return inet_stands && bridge_stands ? Status{} : rebuild(inet);
    }

    Status load() {
        ASSIGN_OR_RETURN(cards_, read_cards(bridge_.table));
        known_ = true;
        return {};
    }

    // A card that was admitted, but not by us.
    Status recall(const std::string& name) {
        ASSIGN_OR_RETURN(Cards there, read_cards(bridge_.table));
        if (const auto card = there.find(name); card != there.end()) {
            cards_.insert(std::move(*card));
        }
        return {};
    }

    // Both tables and the elements of every card, in one step: no frame meets a half of them.
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

    // Instead of the elements that the card has, `wanted`. The memory of them saves reading the
    // sets; where the kernel turns out to have others (somebody flushed them), they are made anew.
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

    // One socket for good: closing one waits until the kernel has freed what the last batch
    // removed, 10-30 ms (nft_rcv_nl_event).
    Status commit(NftBatch& batch) {
        if (!socket_) {
            ASSIGN_OR_RETURN(socket_, open_nft_socket());
        }
        Status status = batch.commit(socket_.get());
        if (!status && status.error().sys_errno() == ENOBUFS) {
            // The verdict was lost: others could be read in its place, and nobody knows whether it
            // was done.
            socket_.reset();
            known_ = false;
        }
        return status;
    }

    std::mutex mutex_; ///< the tables of the kernel and the members below
    const TableLayout bridge_ = bridge_layout();
    NftSocket socket_;               ///< opened with the first batch
    std::optional<BridgeSpec> spec_; ///< as of ensure_tables
    Cards cards_;                    ///< what the sets hold
    bool known_ = false;             ///< whether cards_ is to be believed
};

} // namespace

std::unique_ptr<FirewallDriver> make_firewall_driver() {
    return std::make_unique<NftFirewallDriver>();
}

} // namespace lodge::network
