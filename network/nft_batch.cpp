#include "network/nft_batch.hpp"

#include "network/nft_handles.hpp"
#include "network/nft_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

namespace lodge::network {

namespace {

// More than any single command of ours takes: kMostElements elements, or one rule.
constexpr std::size_t kMostPerMessage = std::size_t{32} << 10;
constexpr std::size_t kMostElements = 256;

struct ChainFree {
    void operator()(nftnl_chain* chain) const { nftnl_chain_free(chain); }
};
struct UserDataFree {
    void operator()(nftnl_udata_buf* data) const { nftnl_udata_buf_free(data); }
};

SetHandle
make_elements(const std::string& table, const std::string& name, std::span<const NftKey> keys) {
    SetHandle set(nftnl_set_alloc());
    nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table.c_str());
    nftnl_set_set_str(set.get(), NFTNL_SET_NAME, name.c_str());
    for (const NftKey& key : keys) {
        nftnl_set_elem* element = nftnl_set_elem_alloc();
        nftnl_set_elem_set(
            element, NFTNL_SET_ELEM_KEY, key.data(), static_cast<std::uint32_t>(key.size()));
        nftnl_set_elem_add(set.get(), element); // the set owns it from here
    }
    return set;
}

// The first refusal among the verdicts of one datagram.
void note_verdicts(std::span<const char> datagram, Status& first) {
    int left = static_cast<int>(datagram.size());
    for (const nlmsghdr* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
         mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_type != NLMSG_ERROR ||
            mnl_nlmsg_get_payload_len(message) < sizeof(nlmsgerr)) {
            continue;
        }
        const auto* verdict = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
        if (verdict->error != 0 && first) {
            first = nft_refused(-verdict->error);
        }
    }
}

// Reads all verdicts of a batch, so that none is left for the next. The kernel queues them before
// sendto returns, so reading never waits. The last command asks for an acknowledgement, so there is
// at least one.
Status read_verdicts(mnl_socket* socket) {
    std::vector<char> answer(std::size_t{1} << 16);
    Status first;
    bool answered = false;
    while (true) {
        const ssize_t size =
            ::recv(mnl_socket_get_fd(socket), answer.data(), answer.size(), MSG_DONTWAIT);
        if (size >= 0) {
            answered = true;
            note_verdicts({answer.data(), static_cast<std::size_t>(size)}, first);
        } else if (errno == EAGAIN && answered) {
            return first;
        } else if (errno != EINTR) {
            return fail_errno("receive from nf_tables");
        }
    }
}

} // namespace

void RuleFree::operator()(nftnl_rule* rule) const {
    nftnl_rule_free(rule);
}

NftBatch::NftBatch() : buffer_(kMostPerMessage) {
    used_ = nftnl_batch_begin(buffer_.data(), sequence_++)->nlmsg_len;
}

nlmsghdr* NftBatch::begin(const NftTable& table, std::uint16_t type, std::uint16_t flags) {
    buffer_.resize(used_ + kMostPerMessage);
    return nftnl_nlmsg_build_hdr(buffer_.data() + used_, type, table.family, flags, sequence_++);
}

void NftBatch::end(const nlmsghdr* message) {
    last_ = used_;
    used_ += (std::size_t{message->nlmsg_len} + 3) / 4 * 4; // MNL_ALIGN
}

void NftBatch::add_table(const NftTable& table) {
    const TableHandle object(nftnl_table_alloc());
    nftnl_table_set_str(object.get(), NFTNL_TABLE_NAME, table.name.c_str());
    if (!table.comment.empty()) {
        const std::unique_ptr<nftnl_udata_buf, UserDataFree> data(
            nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN));
        nftnl_udata_put_strz(data.get(), NFTNL_UDATA_TABLE_COMMENT, table.comment.c_str());
        nftnl_table_set_data(object.get(),
                             NFTNL_TABLE_USERDATA,
                             nftnl_udata_buf_data(data.get()),
                             nftnl_udata_buf_len(data.get()));
    }
    if (table.is_owned) {
        nftnl_table_set_u32(object.get(), NFTNL_TABLE_FLAGS, NFT_TABLE_F_OWNER);
    }
    nlmsghdr* message = begin(table, NFT_MSG_NEWTABLE, NLM_F_CREATE);
    nftnl_table_nlmsg_build_payload(message, object.get());
    end(message);
}

void NftBatch::delete_table(const NftTable& table) {
    const TableHandle object(nftnl_table_alloc());
    nftnl_table_set_str(object.get(), NFTNL_TABLE_NAME, table.name.c_str());
    nlmsghdr* message = begin(table, NFT_MSG_DELTABLE, 0);
    nftnl_table_nlmsg_build_payload(message, object.get());
    end(message);
}

void NftBatch::add_chain(const NftTable& table, const NftChain& chain) {
    const std::unique_ptr<nftnl_chain, ChainFree> object(nftnl_chain_alloc());
    nftnl_chain_set_str(object.get(), NFTNL_CHAIN_TABLE, table.name.c_str());
    nftnl_chain_set_str(object.get(), NFTNL_CHAIN_NAME, chain.name.c_str());
    if (!chain.type.empty()) {
        nftnl_chain_set_str(object.get(), NFTNL_CHAIN_TYPE, chain.type.c_str());
        nftnl_chain_set_u32(object.get(), NFTNL_CHAIN_HOOKNUM, chain.hook);
        nftnl_chain_set_s32(object.get(), NFTNL_CHAIN_PRIO, chain.priority);
        nftnl_chain_set_u32(object.get(), NFTNL_CHAIN_POLICY, NF_ACCEPT);
    }
    nlmsghdr* message = begin(table, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    nftnl_chain_nlmsg_build_payload(message, object.get());
    end(message);
}

void NftBatch::add_set(const NftTable& table, const NftSet& set) {
    const SetHandle object(nftnl_set_alloc());
    nftnl_set_set_str(object.get(), NFTNL_SET_TABLE, table.name.c_str());
    nftnl_set_set_str(object.get(), NFTNL_SET_NAME, set.name.c_str());
    nftnl_set_set_u32(object.get(), NFTNL_SET_ID, sequence_);
    nftnl_set_set_u32(object.get(), NFTNL_SET_KEY_TYPE, set.key_type);
    nftnl_set_set_u32(object.get(), NFTNL_SET_KEY_LEN, set.key_bytes);
    if (set.dynamic_size != 0) {
        const std::uint32_t timeout = set.forgets ? NFT_SET_TIMEOUT : 0;
        nftnl_set_set_u32(object.get(), NFTNL_SET_FLAGS, NFT_SET_EVAL | timeout);
        nftnl_set_set_u32(object.get(), NFTNL_SET_DESC_SIZE, set.dynamic_size);
    }
    nlmsghdr* message = begin(table, NFT_MSG_NEWSET, NLM_F_CREATE);
    nftnl_set_nlmsg_build_payload(message, object.get());
    end(message);
}

void NftBatch::add_rule(const NftTable& table, const std::string& chain, const NftRule& rule) {
    nftnl_rule_set_u32(rule.get(), NFTNL_RULE_FAMILY, table.family);
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, table.name.c_str());
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, chain.c_str());
    nlmsghdr* message = begin(table, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    nftnl_rule_nlmsg_build_payload(message, rule.get());
    end(message);
}

void NftBatch::add_elements(const NftTable& table,
                            const std::string& set,
                            std::span<const NftKey> keys) {
    elements(table, set, keys, NFT_MSG_NEWSETELEM);
}

void NftBatch::delete_elements(const NftTable& table,
                               const std::string& set,
                               std::span<const NftKey> keys) {
    elements(table, set, keys, NFT_MSG_DELSETELEM);
}

void NftBatch::elements(const NftTable& table,
                        const std::string& set,
                        std::span<const NftKey> keys,
                        std::uint16_t type) {
    const std::uint16_t flags = type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0;
    while (!keys.empty()) {
        const auto part = keys.subspan(0, std::min(keys.size(), kMostElements));
        const SetHandle object = make_elements(table.name, set, part);
        nlmsghdr* message = begin(table, type, flags);
        nftnl_set_elems_nlmsg_build_payload(message, object.get());
        end(message);
        keys = keys.subspan(part.size());
    }
}

Status NftBatch::commit(mnl_socket* socket) {
    if (last_ == 0) {
        return {}; // no command at all
    }
    reinterpret_cast<nlmsghdr*>(buffer_.data() + last_)->nlmsg_flags |= NLM_F_ACK;
    buffer_.resize(used_ + kMostPerMessage);
    used_ += nftnl_batch_end(buffer_.data() + used_, sequence_++)->nlmsg_len;
    if (mnl_socket_sendto(socket, buffer_.data(), used_) < 0) {
        return fail_errno("send to nf_tables");
    }
    return read_verdicts(socket);
}

} // namespace lodge::network
