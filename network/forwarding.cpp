#include "network/forwarding.hpp"

#include "lib/kernel/fs.hpp"
#include "network/netlink.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

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

struct Switch {
    const char* name;
    const char* directory;
    const char* switch_file;
};
constexpr std::array kSwitches{
    Switch{"IPv4", "/proc/sys/net/ipv4", "/ip_forward"},
    Switch{"IPv6", "/proc/sys/net/ipv6", "/conf/all/forwarding"},
};

bool is_v6(const Switch& family) {
    return std::string_view(family.name) == "IPv6";
}

bool is_off(const std::string& path) {
    const auto value = kernel::read_file(path, kMostOfAControlFile);
    return value && *value == "0\n"; // a link that is not there forwards nothing either
}

std::string switch_of(const Switch& family, const std::string& link) {
    return std::string(family.directory) + "/conf/" + link + "/forwarding";
}

} // namespace

// The switch of all links is handed on to each only when it changes, and each has its own.
Status ensure_forwarding(const std::string& bridge) {
    for (const Switch& family : kSwitches) {
        if (is_v6(family) && !has_ipv6()) {
            continue;
        }
        if (is_v6(family)) {
            RETURN_IF_ERROR(keep_router_advertisements(std::string(family.directory) + "/conf"));
        }
        RETURN_IF_ERROR(write_control(std::string(family.directory) + family.switch_file, "1"));
        if (const std::string own = switch_of(family, bridge); is_off(own)) {
            RETURN_IF_ERROR(write_control(own, "1"));
        }
    }
    return {};
}

std::string forwarding_fault(const std::string& bridge) {
    for (const Switch& family : kSwitches) {
        const std::string all = std::string(family.directory) + family.switch_file;
        if (is_off(all) || is_off(switch_of(family, bridge))) {
            return "it forwards no " + std::string(family.name);
        }
    }
    return {};
}

Status settle_shared_switches() {
    const Status status = write_control("/proc/sys/net/netfilter/nf_hooks_lwtunnel", "1");
    return status || status.error().sys_errno() != ENOENT ? status : Status{};
}

} // namespace lodge::network
