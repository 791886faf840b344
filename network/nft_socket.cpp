#include "network/nft_socket.hpp"

#include <cerrno>
#include <utility>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

namespace lodge::network {

void NftSocketClose::operator()(mnl_socket* socket) const {
    (void)mnl_socket_close(socket); // nothing was left to send
}

Result<NftSocket> open_nft_socket() {
    NftSocket socket(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
    if (!socket && errno == EPROTONOSUPPORT) {
        return fail(ErrorCode::unsupported,
                    "this kernel has no netfilter (CONFIG_NF_TABLES, module nfnetlink)");
    }
    if (!socket) {
        return fail_errno("open a netfilter socket");
    }
    if (mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) != 0) {
        return fail_errno("bind a netfilter socket");
    }
    // A batch with the elements of thousands of containers is one datagram. If the larger buffers
    // are not granted, the kernel refuses a batch that does not fit.
    const int room = 16 << 20;
    const int fd = mnl_socket_get_fd(socket.get());
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    return socket;
}

std::unexpected<Error> nft_refused(int error_number) {
    const auto because = [error_number](ErrorCode code, const char* sentence) {
        return std::unexpected<Error>(Error(code, sentence).with_errno(error_number));
    };
    switch (error_number) {
    case EPERM:
        return because(ErrorCode::kernel,
                       "only a process with CAP_NET_ADMIN may change the firewall");
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
        return because(ErrorCode::unsupported,
                       "this kernel lacks a part of nf_tables that Lodge needs (families inet and "
                       "bridge, nft_ct, nft_chain_nat, nft_connlimit, nft_limit, nft_masq, "
                       "nft_reject_inet)");
    default:
        return fail_errno("nf_tables", {}, error_number);
    }
}

} // namespace lodge::network
