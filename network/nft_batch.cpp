#include "network/nft_batch.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

namespace lodge::network {

namespace {

constexpr std::size_t kBatchBytes = std::size_t{256} << 10;

struct SocketClose {
    void operator()(mnl_socket* socket) const {
        (void)mnl_socket_close(socket);
    } // nothing was left to send
};
using Socket = std::unique_ptr<mnl_socket, SocketClose>;

struct SetFree {
    void operator()(nftnl_set* set) const { nftnl_set_free(set); }
};
using Set = std::unique_ptr<nftnl_set, SetFree>;

Result<Socket> open_socket() {
    Socket socket(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
    if (!socket) {
        return fail_errno("open a netfilter socket");
    }
    if (mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) != 0) {
        return fail_errno("bind a netfilter socket");
    }
    // A batch of thousands of elements is one datagram, and so are its answers.
    const int room = 4 << 20;
    (void)setsockopt(mnl_socket_get_fd(socket.get()),
                     SOL_SOCKET,
                     SO_SNDBUFFORCE,
                     &room,
                     sizeof room); // smaller only means smaller batches
    (void)setsockopt(
        mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    return socket;
}

std::unexpected<Error> refused(int error_number) {
    if (error_number == EOPNOTSUPP || error_number == EPROTONOSUPPORT) {
        return fail(ErrorCode::unsupported,
                    "this kernel lacks a part of nf_tables that Lodge needs");
    }
    return fail_errno("nf_tables", {}, error_number);
}

Set make_elements(const std::string& table, const std::string& name, std::span<const NftKey> keys) {
    Set set(nftnl_set_alloc());
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

} // namespace

void RuleFree::operator()(nftnl_rule* rule) const {
    nftnl_rule_free(rule);
}

NftBatch::NftBatch(std::uint32_t family, std::string table)
    : family_(family), table_(std::move(table)), buffer_(2 * kBatchBytes),
      batch_(mnl_nlmsg_batch_start(buffer_.data(), kBatchBytes)) {
    nftnl_batch_begin(static_cast<char*>(mnl_nlmsg_batch_current(batch_)), sequence_++);
    mnl_nlmsg_batch_next(batch_);
}

NftBatch::NftBatch(NftBatch&& other) noexcept
    : family_(other.family_), table_(std::move(other.table_)), buffer_(std::move(other.buffer_)),
      batch_(std::exchange(other.batch_, nullptr)), sequence_(other.sequence_) {}

NftBatch::~NftBatch() {
    if (batch_ != nullptr) {
        mnl_nlmsg_batch_stop(batch_);
    }
}

nlmsghdr* NftBatch::begin(std::uint16_t type, std::uint16_t flags) {
    return nftnl_nlmsg_build_hdr(static_cast<char*>(mnl_nlmsg_batch_current(batch_)),
                                 type,
                                 static_cast<std::uint16_t>(family_),
                                 static_cast<std::uint16_t>(flags | NLM_F_ACK),
                                 sequence_++);
}

void NftBatch::end() {
    mnl_nlmsg_batch_next(batch_);
}

void NftBatch::add_table() {
    nftnl_table* table = nftnl_table_alloc();
    nftnl_table_set_str(table, NFTNL_TABLE_NAME, table_.c_str());
    nftnl_table_nlmsg_build_payload(begin(NFT_MSG_NEWTABLE, NLM_F_CREATE), table);
    nftnl_table_free(table);
    end();
}

void NftBatch::delete_table() {
    nftnl_table* table = nftnl_table_alloc();
    nftnl_table_set_str(table, NFTNL_TABLE_NAME, table_.c_str());
    nftnl_table_nlmsg_build_payload(begin(NFT_MSG_DELTABLE, 0), table);
    nftnl_table_free(table);
    end();
}

void NftBatch::add_chain(const NftChain& chain) {
    nftnl_chain* object = nftnl_chain_alloc();
    nftnl_chain_set_str(object, NFTNL_CHAIN_TABLE, table_.c_str());
    nftnl_chain_set_str(object, NFTNL_CHAIN_NAME, chain.name.c_str());
    if (!chain.type.empty()) {
        nftnl_chain_set_str(object, NFTNL_CHAIN_TYPE, chain.type.c_str());
        nftnl_chain_set_u32(object, NFTNL_CHAIN_HOOKNUM, chain.hook);
        nftnl_chain_set_s32(object, NFTNL_CHAIN_PRIO, chain.priority);
        nftnl_chain_set_u32(object, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    }
    nftnl_chain_nlmsg_build_payload(begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE), object);
    nftnl_chain_free(object);
    end();
}

void NftBatch::add_set(const NftSet& set) {
    const Set object(nftnl_set_alloc());
    nftnl_set_set_str(object.get(), NFTNL_SET_TABLE, table_.c_str());
    nftnl_set_set_str(object.get(), NFTNL_SET_NAME, set.name.c_str());
    nftnl_set_set_u32(object.get(), NFTNL_SET_ID, sequence_);
    nftnl_set_set_u32(object.get(), NFTNL_SET_KEY_TYPE, set.key_type);
    nftnl_set_set_u32(object.get(), NFTNL_SET_KEY_LEN, set.key_bytes);
    nftnl_set_nlmsg_build_payload(begin(NFT_MSG_NEWSET, NLM_F_CREATE), object.get());
    end();
}

void NftBatch::flush_chain(const std::string& chain) {
    const NftRule rule(nftnl_rule_alloc());
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, table_.c_str());
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, chain.c_str());
    nftnl_rule_nlmsg_build_payload(begin(NFT_MSG_DELRULE, 0), rule.get());
    end();
}

void NftBatch::add_rule(const std::string& chain, NftRule rule) {
    nftnl_rule_set_u32(rule.get(), NFTNL_RULE_FAMILY, family_);
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, table_.c_str());
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, chain.c_str());
    nftnl_rule_nlmsg_build_payload(begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), rule.get());
    end();
}

void NftBatch::add_elements(const std::string& set, std::span<const NftKey> keys) {
    elements(set, keys, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
}

void NftBatch::delete_elements(const std::string& set, std::span<const NftKey> keys) {
    elements(set, keys, NFT_MSG_DELSETELEM, 0);
}

void NftBatch::elements(const std::string& set,
                        std::span<const NftKey> keys,
                        std::uint16_t type,
                        std::uint16_t flags) {
    // An attribute holds 64 KiB at most; a few hundred elements a message stay far below.
    constexpr std::size_t kMostPerMessage = 256;
    while (!keys.empty()) {
        const auto part = keys.subspan(0, std::min(keys.size(), kMostPerMessage));
        const Set object = make_elements(table_, set, part);
        nftnl_set_elems_nlmsg_build_payload(begin(type, flags), object.get());
        end();
        keys = keys.subspan(part.size());
    }
}

Status NftBatch::commit() {
    nftnl_batch_end(static_cast<char*>(mnl_nlmsg_batch_current(batch_)), sequence_++);
    mnl_nlmsg_batch_next(batch_);
    ASSIGN_OR_RETURN(const Socket socket, open_socket());
    if (mnl_socket_sendto(
            socket.get(), mnl_nlmsg_batch_head(batch_), mnl_nlmsg_batch_size(batch_)) < 0) {
        return fail_errno("send to nf_tables");
    }
    // One acknowledgement per command, in order; begin and end of the batch have none.
    const unsigned port = mnl_socket_get_portid(socket.get());
    std::vector<char> answer(std::size_t{1} << 16);
    for (std::uint32_t acknowledged = 0; acknowledged + 2 < sequence_;) {
        const ssize_t size = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
        if (size < 0) {
            return fail_errno("receive from nf_tables");
        }
        int left = static_cast<int>(size);
        for (const nlmsghdr* message = reinterpret_cast<const nlmsghdr*>(answer.data());
             mnl_nlmsg_ok(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_pid != port) {
                continue;
            }
            const auto* verdict = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
            if (verdict->error != 0) {
                return refused(-verdict->error);
            }
            ++acknowledged;
        }
    }
    return {};
}

bool parse_elements(const nlmsghdr* message, std::vector<NftKey>& keys) {
    const Set set(nftnl_set_alloc());
    if (!set || nftnl_set_elems_nlmsg_parse(message, set.get()) < 0) {
        return false;
    }
    return nftnl_set_elem_foreach(
               set.get(),
               [](nftnl_set_elem* element, void* into) {
                   std::uint32_t size = 0;
                   const auto* key = static_cast<const std::uint8_t*>(
                       nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size));
                   if (key != nullptr) {
                       static_cast<std::vector<NftKey>*>(into)->emplace_back(key, key + size);
                   }
                   return 0;
               },
               &keys) >= 0;
}

Result<std::vector<NftKey>>
list_elements(std::uint32_t family, const std::string& table, const std::string& set) {
    ASSIGN_OR_RETURN(const Socket socket, open_socket());
    std::vector<char> buffer(std::size_t{1} << 16);
    const std::uint32_t sequence = 1;
    nlmsghdr* request = nftnl_nlmsg_build_hdr(buffer.data(),
                                              NFT_MSG_GETSETELEM,
                                              static_cast<std::uint16_t>(family),
                                              NLM_F_DUMP,
                                              sequence);
    const Set wanted = make_elements(table, set, {});
    nftnl_set_elems_nlmsg_build_payload(request, wanted.get());
    if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) {
        return fail_errno("send to nf_tables");
    }
    std::vector<NftKey> keys;
    const auto collect = [](const nlmsghdr* message, void* into) {
        return parse_elements(message, *static_cast<std::vector<NftKey>*>(into)) ? MNL_CB_OK
                                                                                 : MNL_CB_ERROR;
    };
    while (true) {
        const ssize_t size = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
        if (size < 0) {
            return fail_errno("receive from nf_tables");
        }
        const int rc = mnl_cb_run(buffer.data(),
                                  static_cast<std::size_t>(size),
                                  sequence,
                                  mnl_socket_get_portid(socket.get()),
                                  collect,
                                  &keys);
        if (rc < 0 && errno == ENOENT) {
            return std::vector<NftKey>{};
        }
        if (rc < 0) {
            return refused(errno);
        }
        if (rc == MNL_CB_STOP) {
            return keys;
        }
    }
}

} // namespace lodge::network
