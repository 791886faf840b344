#pragma once

#include "lib/base/error.hpp"

#include <memory>

struct mnl_socket;

namespace lodge::network {

struct NftSocketClose {
    void operator()(mnl_socket* socket) const;
};
using NftSocket = std::unique_ptr<mnl_socket, NftSocketClose>;

/// A NETLINK_NETFILTER socket of the calling thread's network namespace. unsupported when the
/// kernel has no netfilter.
[[nodiscard]] Result<NftSocket> open_nft_socket();

/// What an errno of nf_tables means to an operator.
[[nodiscard]] std::unexpected<Error> nft_refused(int error_number);

} // namespace lodge::network
