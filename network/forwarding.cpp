#include "lib/kernel/fs.hpp"
#include "network/netlink.hpp"
#include "network/network.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>

namespace lodge::network {

namespace {

constexpr std::size_t kMostOfAControlFile = 64;

Status write_control(const std::string& path, std::string_view value) {
    return with_context(kernel::write_control(AT_FDCWD, path, value),
                        "write '" + std::string(value) + "' to " + path);
}

// accept_ra: 1 means "unless I am a router", 2 means "even so". A link that goes away meanwhile is
// no link to care for.
Status keep_router_advertisements(const std::string& all_links) {
    ASSIGN_OR_RETURN(const kernel::DirFd links, kernel::open_directory(all_links));
    return kernel::for_each_entry(
        links.get(), [&](const std::string& name, unsigned char) -> Status {
            const std::string link = all_links + "/" + name;
            const auto accepts = kernel::read_file(link + "/accept_ra", kMostOfAControlFile);
            const auto routes = kernel::read_file(link + "/forwarding", kMostOfAControlFile);
            if (name == "all" || name == "default" || !accepts || !routes || *accepts != "1\n" ||
                *routes != "0\n") {
                return {};
            }
            Status status = write_control(link + "/accept_ra", "2");
            return status || status.error().sys_errno() != ENOENT ? status : Status{};
        });
}

} // namespace

Status enable_forwarding() {
    RETURN_IF_ERROR(write_control("/proc/sys/net/ipv4/ip_forward", "1"));
    if (!has_ipv6()) {
        return {};
    }
    const std::string all_links = "/proc/sys/net/ipv6/conf";
    RETURN_IF_ERROR(keep_router_advertisements(all_links));
    return write_control(all_links + "/all/forwarding", "1");
}

Status settle_shared_switches() {
    const Status status = write_control("/proc/sys/net/netfilter/nf_hooks_lwtunnel", "1");
    return status || status.error().sys_errno() != ENOENT ? status : Status{};
}

} // namespace lodge::network
