#include "daemon/host_settings.hpp"

#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace lodge::daemon {

namespace {

using Bound = HostSetting::Bound;

constexpr std::string_view kNeighbours =
    "each container is a neighbour or two on the bridge, and a full table drops packets of all";

constexpr std::array kSettings{
    HostSetting{"fs.inotify.max_user_instances",
                Bound::at_least,
                65536,
                "a container full of services runs out of watchers; its memory is their bound"},
    HostSetting{"fs.inotify.max_user_watches",
                Bound::at_least,
                4194304,
                "a container full of services runs out of watches; its memory is their bound"},
    HostSetting{"fs.aio-max-nr",
                Bound::at_least,
                std::uint64_t{1} << 30,
                "one container could take all slots of the host, and databases of the others "
                "would not start"},
    HostSetting{"fs.file-max",
                Bound::at_least,
                9223372036854775807,
                "one container could take all open files of the host; its memory is their bound"},
    HostSetting{"vm.max_map_count", Bound::at_least, 262144, "databases of tenants do not start"},
    HostSetting{"kernel.pid_max",
                Bound::at_least,
                4194304,
                "processes of all containers have numbers of the host too"},
    HostSetting{"kernel.pty.max",
                Bound::at_least,
                2147483647,
                "one container could take all terminals of the host, and no other would start or "
                "have a session with one"},
    HostSetting{"kernel.pty.reserve",
                Bound::at_least,
                1024,
                "terminals of the host's own, for its operator's ssh, whatever containers take"},
    HostSetting{"user.max_net_namespaces",
                Bound::at_most,
                1024,
                "a network namespace inside takes memory of the host that no container is "
                "charged for"},
    HostSetting{"dev.tty.ldisc_autoload",
                Bound::at_most,
                0,
                "whoever opens a terminal could have the kernel load any line discipline"},
    HostSetting{"net.netfilter.nf_conntrack_max",
                Bound::at_least,
                1048576,
                "a few containers with as many connections as they may have would leave none to "
                "the host"},
    HostSetting{"net.ipv4.neigh.default.gc_thresh1", Bound::at_least, 4096, kNeighbours},
    HostSetting{"net.ipv4.neigh.default.gc_thresh2", Bound::at_least, 8192, kNeighbours},
    HostSetting{"net.ipv4.neigh.default.gc_thresh3", Bound::at_least, 16384, kNeighbours},
    HostSetting{"net.ipv6.neigh.default.gc_thresh1", Bound::at_least, 4096, kNeighbours},
    HostSetting{"net.ipv6.neigh.default.gc_thresh2", Bound::at_least, 8192, kNeighbours},
    HostSetting{"net.ipv6.neigh.default.gc_thresh3", Bound::at_least, 16384, kNeighbours},
};

std::optional<std::uint64_t> read_number(const std::string& path) {
    constexpr std::size_t kMost = 64;
    const auto text = kernel::read_file(path, kMost);
    std::uint64_t number = 0;
    if (!text ||
        std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{}) {
        return std::nullopt;
    }
    return number;
}

} // namespace

std::span<const HostSetting> host_settings() {
    return kSettings;
}

bool SeenSetting::suits() const {
    return !value ||
           (setting.bound == Bound::at_least ? *value >= setting.wanted : *value <= setting.wanted);
}

std::string SeenSetting::what_to_do() const {
    if (suits()) {
        return {};
    }
    return "sysctl -w " + std::string(setting.name) + "=" + std::to_string(setting.wanted) +
           ", or all of them and at every boot: the installed 50-lodge.conf, and sysctl --system";
}

std::vector<SeenSetting> look_at_settings(const std::string& root) {
    std::vector<SeenSetting> seen;
    seen.reserve(kSettings.size());
    for (const HostSetting& setting : kSettings) {
        std::string path(setting.name);
        std::ranges::replace(path, '.', '/');
        seen.push_back({.setting = setting, .value = read_number(root + "/" + path)});
    }
    return seen;
}

std::string_view to_string(HostSetting::Bound bound) {
    return bound == Bound::at_least ? "at least" : "at most";
}

} // namespace lodge::daemon
