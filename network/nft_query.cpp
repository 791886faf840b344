#include "network/nft_query.hpp"

#include "network/nft_handles.hpp"
#include "network/nft_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

namespace lodge::network {

namespace {

struct Query {
    std::uint16_t type = 0;
    std::uint16_t flags = 0;
    std::function<void(nlmsghdr*)> payload;
    std::function<bool(std::span<const char>)> each; ///< one message of the answer
};

int visit(const nlmsghdr* message, void* query) {
    const auto& each = static_cast<const Query*>(query)->each;
    return each({reinterpret_cast<const char*>(message), message->nlmsg_len}) ? MNL_CB_OK
                                                                              : MNL_CB_ERROR;
}

// One pass over the answers. EINTR: the tables changed under a dump, so it may have holes.
Status ask_once(mnl_socket* socket, std::uint16_t family, Query& query) {
    std::vector<char> buffer(std::size_t{1} << 16);
    constexpr std::uint32_t kSequence = 1;
    nlmsghdr* request =
        nftnl_nlmsg_build_hdr(buffer.data(), query.type, family, query.flags, kSequence);
    query.payload(request);
    if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) {
        return fail_errno("send to nf_tables");
    }
    const unsigned port = mnl_socket_get_portid(socket);
    int rc = MNL_CB_OK;
    while (rc > MNL_CB_STOP) {
        const ssize_t size = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
        if (size < 0) {
            return fail_errno("receive from nf_tables");
        }
        errno = EPROTO; // the error of a message that `each` refuses
        rc = mnl_cb_run(
            buffer.data(), static_cast<std::size_t>(size), kSequence, port, visit, &query);
    }
    return rc < 0 ? Status(nft_refused(errno)) : Status{};
}

// `restart` drops the results of an interrupted pass. A missing object has no answers.
Status
ask(mnl_socket* socket, std::uint16_t family, Query query, const std::function<void()>& restart) {
    NftSocket own;
    if (socket == nullptr) {
        ASSIGN_OR_RETURN(own, open_nft_socket());
        socket = own.get();
    }
    constexpr int kMostPasses = 16;
    Status status;
    for (int pass = 0; pass < kMostPasses; ++pass) {
        restart();
        status = ask_once(socket, family, query);
        if (status || status.error().sys_errno() != EINTR) {
            break;
        }
    }
    if (!status && status.error().sys_errno() == ENOENT) {
        restart();
        return {};
    }
    return status;
}

using Bytes = std::span<const char>;

// Walks over attributes (man 7 netlink: length, type, value, padding to 4 bytes). By hand, since
// libnftnl ends the process when it meets a message that it does not expect. False: one is cut
// short, or `visit` said so.
bool each_attribute(Bytes bytes, const std::function<bool(int type, Bytes value)>& visit) {
    while (bytes.size() >= sizeof(nlattr)) {
        nlattr header{};
        std::memcpy(&header, bytes.data(), sizeof header);
        const std::size_t size = header.nla_len;
        if (size < sizeof header || size > bytes.size() ||
            !visit(header.nla_type & NLA_TYPE_MASK,
                   bytes.subspan(sizeof header, size - sizeof header))) {
            return false;
        }
        bytes = bytes.subspan(std::min((size + 3) / 4 * 4, bytes.size()));
    }
    return true;
}

// The attributes of a whole message of this type; none when it is another or cut short.
std::optional<Bytes> attributes_of(Bytes message, int type) {
    constexpr std::size_t kHeaders = sizeof(nlmsghdr) + sizeof(nfgenmsg);
    nlmsghdr header{};
    if (message.size() < kHeaders) {
        return std::nullopt;
    }
    std::memcpy(&header, message.data(), sizeof header);
    if (header.nlmsg_len < kHeaders || header.nlmsg_len > message.size() ||
        header.nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | type)) {
        return std::nullopt;
    }
    return message.subspan(kHeaders, header.nlmsg_len - kHeaders);
}

bool add_key(Bytes element, std::vector<NftKey>& keys) {
    return each_attribute(element, [&](int type, Bytes key) {
        return type != NFTA_SET_ELEM_KEY || each_attribute(key, [&](int part, Bytes value) {
                   if (part == NFTA_DATA_VALUE) {
                       keys.emplace_back(value.begin(), value.end());
                   }
                   return true;
               });
    });
}

std::string text_in(Bytes value) {
    const std::string text(value.begin(), value.end());
    return text.substr(0, text.find('\0'));
}

std::uint32_t number_in(Bytes value) { // in network order
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < std::min(value.size(), sizeof number); ++i) {
        number = number << 8 | static_cast<unsigned char>(value[i]);
    }
    return number;
}

// "cmp ", or "immediate 1 " with the verdict. The kernel writes the other attributes in a form of
// its own.
bool add_expression(Bytes expression, std::string& made_of) {
    return each_attribute(expression, [&](int type, Bytes value) {
        if (type == NFTA_EXPR_NAME) {
            made_of += text_in(value) + " ";
        }
        const bool is_immediate = made_of.ends_with("immediate ");
        return type != NFTA_EXPR_DATA || !is_immediate ||
               each_attribute(value, [&](int field, Bytes data) {
                   return field != NFTA_IMMEDIATE_DATA ||
                          each_attribute(data, [&](int kind, Bytes verdict) {
                              return kind != NFTA_DATA_VERDICT ||
                                     each_attribute(verdict, [&](int part, Bytes code) {
                                         if (part == NFTA_VERDICT_CODE) {
                                             made_of += std::to_string(number_in(code)) + " ";
                                         }
                                         return true;
                                     });
                          });
               });
    });
}

} // namespace

bool parse_elements(std::span<const char> message, std::vector<NftKey>& keys) {
    const auto attributes = attributes_of(message, NFT_MSG_NEWSETELEM);
    return attributes && each_attribute(*attributes, [&](int type, Bytes list) {
               return type != NFTA_SET_ELEM_LIST_ELEMENTS ||
                      each_attribute(list,
                                     [&](int, Bytes element) { return add_key(element, keys); });
           });
}

std::string comment_in(std::span<const unsigned char> user_data) {
    while (user_data.size() >= 2) {
        const unsigned type = user_data[0];
        const std::size_t size = user_data[1];
        user_data = user_data.subspan(2);
        if (size > user_data.size()) {
            break;
        }
        if (type == NFTNL_UDATA_TABLE_COMMENT) {
            const std::string text(user_data.begin(),
                                   user_data.begin() + static_cast<std::ptrdiff_t>(size));
            return text.substr(0, text.find('\0'));
        }
        user_data = user_data.subspan(size);
    }
    return {};
}

bool parse_table_comment(std::span<const char> message, std::string& comment) {
    comment.clear();
    bool sleeps = false;
    const auto attributes = attributes_of(message, NFT_MSG_NEWTABLE);
    const bool whole =
        attributes && each_attribute(*attributes, [&](int type, Bytes value) {
            if (type == NFTA_TABLE_USERDATA) {
                comment = comment_in(
                    {reinterpret_cast<const unsigned char*>(value.data()), value.size()});
            }
            if (type == NFTA_TABLE_FLAGS) {
                sleeps = (number_in(value) & NFT_TABLE_F_DORMANT) != 0;
            }
            return true;
        });
    if (sleeps) {
        comment.clear();
    }
    return whole;
}

bool parse_rule(std::span<const char> message, NftRules& rules) {
    std::string chain;
    std::string comment;
    std::string made_of;
    const auto attributes = attributes_of(message, NFT_MSG_NEWRULE);
    const bool whole = attributes && each_attribute(*attributes, [&](int type, Bytes value) {
                           if (type == NFTA_RULE_CHAIN) {
                               chain = text_in(value);
                           } else if (type == NFTA_RULE_USERDATA) {
                               comment.assign(value.begin(), value.end());
                           } else if (type == NFTA_RULE_EXPRESSIONS) {
                               return each_attribute(value, [&](int, Bytes expression) {
                                   return add_expression(expression, made_of);
                               });
                           }
                           return true;
                       });
    if (whole) {
        rules[chain].push_back(made_of + comment);
    }
    return whole;
}

Result<std::vector<NftKey>>
list_elements(const NftTable& table, const std::string& set, mnl_socket* socket) {
    const SetHandle wanted(nftnl_set_alloc());
    nftnl_set_set_str(wanted.get(), NFTNL_SET_TABLE, table.name.c_str());
    nftnl_set_set_str(wanted.get(), NFTNL_SET_NAME, set.c_str());
    std::vector<NftKey> keys;
    Query query{
        .type = NFT_MSG_GETSETELEM,
        .flags = NLM_F_DUMP,
        .payload =
            [&](nlmsghdr* request) { nftnl_set_elems_nlmsg_build_payload(request, wanted.get()); },
        .each = [&](std::span<const char> message) { return parse_elements(message, keys); }};
    RETURN_IF_ERROR(ask(socket, table.family, std::move(query), [&] { keys.clear(); }));
    return keys;
}

Result<std::string> table_comment(const NftTable& table, mnl_socket* socket) {
    const TableHandle wanted(nftnl_table_alloc());
    nftnl_table_set_str(wanted.get(), NFTNL_TABLE_NAME, table.name.c_str());
    std::string comment;
    Query query{
        .type = NFT_MSG_GETTABLE,
        .flags = NLM_F_ACK,
        .payload =
            [&](nlmsghdr* request) { nftnl_table_nlmsg_build_payload(request, wanted.get()); },
        .each =
            [&](std::span<const char> message) { return parse_table_comment(message, comment); }};
    RETURN_IF_ERROR(ask(socket, table.family, std::move(query), [&] { comment.clear(); }));
    return comment;
}

Result<NftRules> list_rules(const NftTable& table, mnl_socket* socket) {
    const NftRule wanted(nftnl_rule_alloc());
    nftnl_rule_set_u32(wanted.get(), NFTNL_RULE_FAMILY, table.family);
    nftnl_rule_set_str(wanted.get(), NFTNL_RULE_TABLE, table.name.c_str());
    NftRules rules;
    Query query{
        .type = NFT_MSG_GETRULE,
        .flags = NLM_F_DUMP,
        .payload =
            [&](nlmsghdr* request) { nftnl_rule_nlmsg_build_payload(request, wanted.get()); },
        .each = [&](std::span<const char> message) { return parse_rule(message, rules); }};
    RETURN_IF_ERROR(ask(socket, table.family, std::move(query), [&] { rules.clear(); }));
    return rules;
}

Result<std::uint32_t> rule_set_generation(mnl_socket* socket) {
    std::uint32_t generation = 0;
    Query query{.type = NFT_MSG_GETGEN,
                .flags = NLM_F_ACK,
                .payload = [](nlmsghdr*) {},
                .each =
                    [&](std::span<const char> message) {
                        const auto attributes = attributes_of(message, NFT_MSG_NEWGEN);
                        return attributes &&
                               each_attribute(*attributes, [&](int type, Bytes value) {
                                   if (type == NFTA_GEN_ID) {
                                       generation = number_in(value);
                                   }
                                   return true;
                               });
                    }};
    RETURN_IF_ERROR(ask(socket, AF_UNSPEC, std::move(query), [] {}));
    return generation;
}

} // namespace lodge::network
