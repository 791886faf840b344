#pragma once

#include <memory>

#include <libnftnl/set.h>
#include <libnftnl/table.h>

namespace lodge::network {

/// Objects of libnftnl's that free themselves.
struct NftFree {
    void operator()(nftnl_set* set) const { nftnl_set_free(set); }
    void operator()(nftnl_table* table) const { nftnl_table_free(table); }
};
using SetHandle = std::unique_ptr<nftnl_set, NftFree>;
using TableHandle = std::unique_ptr<nftnl_table, NftFree>;

} // namespace lodge::network
