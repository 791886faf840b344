#include "network/nft_rule.hpp"

#include <algorithm>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>

namespace lodge::network {

namespace {

std::uint32_t reg(unsigned at) {
    return NFT_REG32_00 + at;
}

} // namespace

RuleBuilder::RuleBuilder() : rule_(nftnl_rule_alloc()) {}

RuleBuilder& RuleBuilder::meta(std::uint32_t key, unsigned at) {
    nftnl_expr* expr = nftnl_expr_alloc("meta");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, reg(at));
    nftnl_rule_add_expr(rule_.get(), expr);
    return *this;
}

RuleBuilder& RuleBuilder::load_in_interface(unsigned at) {
    return meta(NFT_META_IIFNAME, at);
}
RuleBuilder& RuleBuilder::load_out_interface(unsigned at) {
    return meta(NFT_META_OIFNAME, at);
}
RuleBuilder& RuleBuilder::load_ether_type(unsigned at) {
    return meta(NFT_META_PROTOCOL, at);
}
RuleBuilder& RuleBuilder::load_ip_protocol_version(unsigned at) {
    return meta(NFT_META_NFPROTO, at);
}
RuleBuilder& RuleBuilder::load_transport_protocol(unsigned at) {
    return meta(NFT_META_L4PROTO, at);
}

RuleBuilder& RuleBuilder::connection(std::uint32_t key, unsigned at) {
    nftnl_expr* expr = nftnl_expr_alloc("ct");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, reg(at));
    nftnl_rule_add_expr(rule_.get(), expr);
    return *this;
}

RuleBuilder& RuleBuilder::load_connection_state(unsigned at) {
    return connection(NFT_CT_STATE, at);
}
RuleBuilder& RuleBuilder::load_connection_status(unsigned at) {
    return connection(NFT_CT_STATUS, at);
}

RuleBuilder& RuleBuilder::load_payload(std::uint32_t base,
                                       std::uint32_t offset,
                                       std::uint32_t bytes,
                                       unsigned at) {
    nftnl_expr* expr = nftnl_expr_alloc("payload");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, bytes);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg(at));
    nftnl_rule_add_expr(rule_.get(), expr);
    return *this;
}

RuleBuilder& RuleBuilder::mask(unsigned at, const std::vector<std::uint8_t>& bits) {
    const std::vector<std::uint8_t> zero(bits.size(), 0);
    nftnl_expr* expr = nftnl_expr_alloc("bitwise");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, reg(at));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, reg(at));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, static_cast<std::uint32_t>(bits.size()));
    nftnl_expr_set(
        expr, NFTNL_EXPR_BITWISE_MASK, bits.data(), static_cast<std::uint32_t>(bits.size()));
    nftnl_expr_set(
        expr, NFTNL_EXPR_BITWISE_XOR, zero.data(), static_cast<std::uint32_t>(zero.size()));
    nftnl_rule_add_expr(rule_.get(), expr);
    return *this;
}

RuleBuilder&
RuleBuilder::compare(std::uint32_t operation, unsigned at, const std::vector<std::uint8_t>& value) {
    nftnl_expr* expr = nftnl_expr_alloc("cmp");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, reg(at));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(
        expr, NFTNL_EXPR_CMP_DATA, value.data(), static_cast<std::uint32_t>(value.size()));
    nftnl_rule_add_expr(rule_.get(), expr);
    return *this;
}

RuleBuilder& RuleBuilder::equals(unsigned at, const std::vector<std::uint8_t>& value) {
    return compare(NFT_CMP_EQ, at, value);
}
RuleBuilder& RuleBuilder::differs(unsigned at, const std::vector<std::uint8_t>& value) {
    return compare(NFT_CMP_NEQ, at, value);
}

RuleBuilder& RuleBuilder::lookup(const std::string& set, std::uint32_t flags) {
    nftnl_expr* expr = nftnl_expr_alloc("lookup");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, reg(kKeyStart));
    nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, set.c_str());
    nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, flags);
    nftnl_rule_add_expr(rule_.get(), expr);
    return *this;
}

RuleBuilder& RuleBuilder::in_set(const std::string& set) {
    return lookup(set, 0);
}
RuleBuilder& RuleBuilder::not_in_set(const std::string& set) {
    return lookup(set, NFT_LOOKUP_F_INV);
}

RuleBuilder&
RuleBuilder::in_dynamic_set(const std::string& set, nftnl_expr* state, std::uint64_t timeout) {
    nftnl_expr* expr = nftnl_expr_alloc("dynset");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_DYNSET_SREG_KEY, reg(kKeyStart));
    nftnl_expr_set_str(expr, NFTNL_EXPR_DYNSET_SET_NAME, set.c_str());
    nftnl_expr_set_u32(expr, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD);
    if (timeout != 0) {
        nftnl_expr_set_u64(expr, NFTNL_EXPR_DYNSET_TIMEOUT, timeout);
    }
    nftnl_expr_set(expr, NFTNL_EXPR_DYNSET_EXPR, state, 0); // owned by it from here
    nftnl_rule_add_expr(rule_.get(), expr);
    return *this;
}

// The kernel removes an element that counts no connection any more.
RuleBuilder& RuleBuilder::more_than(const std::string& set, std::uint32_t most) {
    nftnl_expr* state = nftnl_expr_alloc("connlimit");
    nftnl_expr_set_u32(state, NFTNL_EXPR_CONNLIMIT_COUNT, most);
    nftnl_expr_set_u32(state, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
    return in_dynamic_set(set, state, 0);
}

RuleBuilder&
RuleBuilder::faster_than(const std::string& set, std::uint32_t each_second, std::uint32_t burst) {
    constexpr std::uint64_t kForgottenAfter = 60'000; // milliseconds; then a burst is free again
    nftnl_expr* state = nftnl_expr_alloc("limit");
    nftnl_expr_set_u64(state, NFTNL_EXPR_LIMIT_RATE, each_second);
    nftnl_expr_set_u64(state, NFTNL_EXPR_LIMIT_UNIT, 1); // seconds
    nftnl_expr_set_u32(state, NFTNL_EXPR_LIMIT_BURST, burst);
    nftnl_expr_set_u32(state, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
    nftnl_expr_set_u32(state, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
    return in_dynamic_set(set, state, kForgottenAfter);
}

RuleBuilder& RuleBuilder::comment(const std::string& text) {
    nftnl_udata_buf* data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
    nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, text.c_str());
    nftnl_rule_set_data(rule_.get(),
                        NFTNL_RULE_USERDATA,
                        nftnl_udata_buf_data(data),
                        nftnl_udata_buf_len(data)); // copies
    nftnl_udata_buf_free(data);
    return *this;
}

RuleBuilder& RuleBuilder::count() {
    nftnl_rule_add_expr(rule_.get(), nftnl_expr_alloc("counter"));
    return *this;
}

NftRule RuleBuilder::verdict(std::uint32_t code, const std::string& chain) {
    nftnl_expr* expr = nftnl_expr_alloc("immediate");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, code);
    if (!chain.empty()) {
        nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain.c_str());
    }
    nftnl_rule_add_expr(rule_.get(), expr);
    return std::move(rule_);
}

NftRule RuleBuilder::accept() {
    return verdict(NF_ACCEPT, {});
}
NftRule RuleBuilder::drop() {
    return verdict(NF_DROP, {});
}
NftRule RuleBuilder::go_to(const std::string& chain) {
    return verdict(static_cast<std::uint32_t>(NFT_GOTO), chain);
}

NftRule RuleBuilder::jump_to(const std::string& chain) {
    return verdict(static_cast<std::uint32_t>(NFT_JUMP), chain);
}

NftRule RuleBuilder::do_not_track() {
    nftnl_rule_add_expr(rule_.get(), nftnl_expr_alloc("notrack"));
    return std::move(rule_);
}

NftRule RuleBuilder::reject() {
    nftnl_expr* expr = nftnl_expr_alloc("reject");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
    nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
    nftnl_rule_add_expr(rule_.get(), expr);
    return std::move(rule_);
}

NftRule RuleBuilder::masquerade() {
    nftnl_rule_add_expr(rule_.get(), nftnl_expr_alloc("masq"));
    return std::move(rule_);
}

std::vector<std::uint8_t> interface_key(const std::string& name) {
    std::vector<std::uint8_t> key(IFNAMSIZ, 0);
    std::copy_n(name.begin(), std::min(name.size(), key.size() - 1), key.begin());
    return key;
}

} // namespace lodge::network
