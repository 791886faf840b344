#include "lib/base/clock.hpp"
#include "network/network.hpp"
#include "network/nft_batch.hpp"
#include "network/nft_query.hpp"
#include "network/nft_socket.hpp"

#include <cerrno>
#include <chrono>
#include <ctime>

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>

namespace lodge::network {

namespace {

// The claim is an empty table that belongs to a socket. A lock on the namespace's file would not
// do: every user of the host can open and lock that file.
NftTable claim_table() {
    return {.family = NFPROTO_INET,
            .name = "lodge-claim",
            .comment = "this network namespace is one lodged's",
            .is_owned = true};
}

Status add_claim(mnl_socket* socket) {
    NftBatch batch;
    batch.add_table(claim_table());
    return batch.commit(socket);
}

// The kernel has one errno for another owner's table and for a missing privilege.
Result<bool> is_another(const Error& refused) {
    if (refused.sys_errno() != EPERM) {
        return false;
    }
    ASSIGN_OR_RETURN(const std::string comment, table_comment(claim_table()));
    return !comment.empty();
}

} // namespace

Result<UniqueFd> claim_network() {
    ASSIGN_OR_RETURN(const NftSocket socket, open_nft_socket());
    // A killed daemon may have left a child that has not executed yet and holds the claim.
    const Deadline deadline = Deadline::after(std::chrono::seconds(1));
    while (true) {
        const Status claimed = with_context(add_claim(socket.get()), "claim the network namespace");
        if (claimed) {
            break;
        }
        ASSIGN_OR_RETURN(const bool other, is_another(claimed.error()));
        if (!other) {
            return std::unexpected<Error>(claimed.error());
        }
        if (deadline.expired()) {
            return fail(ErrorCode::busy,
                        "another lodged works in this network namespace: the firewall's tables "
                        "and the cards of containers are one daemon's. Run this one in a network "
                        "namespace of its own (ip netns)");
        }
        const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
        (void)::nanosleep(&pause, nullptr); // a signal only shortens the pause
    }
    UniqueFd held(::fcntl(mnl_socket_get_fd(socket.get()), F_DUPFD_CLOEXEC, 0));
    if (!held) {
        return fail_errno("keep the claim to the network namespace");
    }
    return held;
}

} // namespace lodge::network
