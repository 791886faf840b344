#include "network/link_removal.hpp"

#include "lib/base/clock.hpp"
#include "lib/base/contained.hpp"
#include "lib/base/unique_fd.hpp"
#include "network/netlink.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>
#include <thread>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace lodge::network {

namespace {

constexpr auto kDeadline = std::chrono::seconds(10);

struct Removal {
    UniqueFd done{::eventfd(0, EFD_CLOEXEC)};
    Status status; ///< valid once `done` is readable
};

// The kernel's news of links, here only a reason to look again.
Result<UniqueFd> open_link_news() {
    UniqueFd news(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (!news ||
        ::bind(news.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail_errno("listen for news of links");
    }
    return news;
}

bool is_there(const std::string& name) {
    return ::if_nametoindex(name.c_str()) != 0;
}

void drain(int news) {
    std::array<char, 8192> buffer;
    // A message that was cut or lost (ENOBUFS) still says that something changed.
    ssize_t size = 0;
    do {
        size = ::recv(news, buffer.data(), buffer.size(), 0);
    } while (size > 0 || (size < 0 && errno == ENOBUFS));
}

// Waits until the name is free or the removal has ended.
Status await(const std::string& name, int news, const Removal& removal) {
    const Deadline deadline = Deadline::after(kDeadline);
    while (is_there(name)) {
        std::array<pollfd, 2> waits{{{removal.done.get(), POLLIN, 0}, {news, POLLIN, 0}}};
        const int ready = ::poll(waits.data(), waits.size(), deadline.poll_timeout());
        if (ready == 0) {
            return fail(ErrorCode::timeout, "the kernel does not remove the link '" + name + "'");
        }
        if (ready < 0 && errno != EINTR) {
            return fail_errno("poll");
        }
        if (ready > 0 && waits[0].revents != 0) {
            return removal.status;
        }
        drain(news);
    }
    return {};
}

} // namespace

Status remove_link_early(const std::string& name) {
    ASSIGN_OR_RETURN(const UniqueFd news, open_link_news());
    if (!is_there(name)) {
        return {};
    }
    ASSIGN_OR_RETURN(RouteSocket socket, open_route_socket()); // of this thread's namespace
    const auto removal = std::make_shared<Removal>();
    if (!removal->done) {
        return fail_errno("eventfd");
    }
    std::shared_ptr<nl_sock> shared = std::move(socket);
    try {
        std::thread([name, removal, shared] {
            removal->status = contained([&] { return remove_link(shared.get(), name); });
            (void)::eventfd_write(removal->done.get(), 1); // its counter is far from full
        }).detach();
    } catch (const std::system_error&) { // no thread is available: this thread waits
        return remove_link(shared.get(), name);
    }
    return await(name, news.get(), *removal);
}

} // namespace lodge::network
