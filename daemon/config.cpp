#include "daemon/config.hpp"

#include "lib/base/units.hpp"
#include "lib/model/container.hpp"
#include "lib/yaml/yaml.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include <unistd.h>

namespace lodge::daemon {

namespace {

namespace fs = std::filesystem;

Result<std::uint32_t> parse_uid(const std::string& words) {
    const auto number = parse_size(words);
    if (!number || *number % model::kIdsPerContainer != 0 || *number >= (std::uint64_t{1} << 32)) {
        return fail(ErrorCode::invalid_argument,
                    "'" + words + "' is not a multiple of 65536 below 2^32");
    }
    return static_cast<std::uint32_t>(*number);
}

Result<std::uint32_t> parse_count(const std::string& words) {
    const auto number = parse_size(words);
    if (!number || *number > 65535) {
        return fail(ErrorCode::invalid_argument, "'" + words + "' is not a number from 1 to 65535");
    }
    return static_cast<std::uint32_t>(*number);
}

// Leaves some of the first sixteen workers of the engine to requests.
Result<std::uint32_t> parse_at_once(const std::string& words) {
    const auto number = parse_count(words);
    if (!number || *number > 12) {
        return fail(ErrorCode::invalid_argument, "'" + words + "' is not a number from 1 to 12");
    }
    return *number;
}

Result<unsigned> parse_copies(const std::string& words) {
    unsigned number = 0;
    const auto [stop, error] = std::from_chars(words.data(), words.data() + words.size(), number);
    if (error != std::errc{} || stop != words.data() + words.size() || number > 366) {
        return fail(ErrorCode::invalid_argument, "'" + words + "' is not a number from 0 to 366");
    }
    return number;
}

Result<std::chrono::milliseconds> parse_time(const std::string& words) {
    ASSIGN_OR_RETURN(const std::int64_t milliseconds, parse_duration_ms(words));
    return std::chrono::milliseconds(milliseconds);
}

Result<std::string> parse_encryption_choice(const std::string& words) {
    if (words != "auto") {
        RETURN_IF_ERROR(model::parse_encryption(words));
    }
    return words;
}

yaml::Setter limits_mode(bool& best_effort) {
    return [&best_effort](const yaml::Node& node) -> Status {
        if (node.scalar != "strict" && node.scalar != "best-effort") {
            return yaml::refuse(node, "strict or best-effort is expected here");
        }
        best_effort = node.scalar == "best-effort";
        return {};
    };
}

// The form of /etc/services: "53/udp".
Result<network::HostService> parse_host_service(const std::string& words) {
    using Transport = network::HostService::Transport;
    const std::size_t slash = words.find('/');
    const std::string transport = slash == std::string::npos ? "" : words.substr(slash + 1);
    std::uint16_t port = 0;
    const char* const end = words.data() + std::min(slash, words.size());
    const auto [stop, error] = std::from_chars(words.data(), end, port);
    if ((transport != "tcp" && transport != "udp") || error != std::errc{} || stop != end ||
        port == 0) {
        return fail(ErrorCode::invalid_argument,
                    "'" + words + "' is not a service; write it as 53/udp or 443/tcp");
    }
    return network::HostService{transport == "tcp" ? Transport::tcp : Transport::udp, port};
}

// An empty list is valid: it permits only ICMP.
yaml::Setter host_services(std::vector<network::HostService>& into) {
    return [&into](const yaml::Node& node) -> Status {
        std::vector<std::string> services;
        RETURN_IF_ERROR(yaml::text_list(services)(node));
        into.clear();
        for (const std::string& service : services) {
            const auto parsed = parse_host_service(service);
            if (!parsed) {
                return yaml::refuse(node, parsed.error().message());
            }
            into.push_back(*parsed);
        }
        return {};
    };
}

// The time to count grows with the number of counted connections.
Result<std::uint32_t> parse_connections(const std::string& words) {
    const auto number = parse_size(words);
    if (!number || *number < 16 || *number > 1U << 20) {
        return fail(ErrorCode::invalid_argument, "'" + words + "' is not a number from 16 to 1M");
    }
    return static_cast<std::uint32_t>(*number);
}

// The gateway of each family is the bridge's own address.
Status one_pool_per_family(const std::vector<model::CidrAddress>& pools, const yaml::Node& node) {
    std::set<model::IpAddress::Family> families;
    for (const model::CidrAddress& pool : pools) {
        if (!families.insert(pool.address.family()).second) {
            return yaml::refuse(node, "there is more than one pool of a family");
        }
    }
    return {};
}

// 0xffffffff is no id (chown(2)), so the last range must end before it.
Status check_ranges(const Settings& settings, const yaml::Node& root) {
    const std::uint64_t end =
        settings.first_uid + std::uint64_t{settings.uid_ranges} * model::kIdsPerContainer;
    if (end >= (std::uint64_t{1} << 32)) {
        return yaml::refuse(root, "first_uid and uid_ranges reach past the last id, 4294967294");
    }
    return {};
}

yaml::Setter network_section(Settings& settings) {
    return [&settings](const yaml::Node& node) -> Status {
        std::vector<std::string> pools;
        RETURN_IF_ERROR(yaml::read_mapping(
            node,
            {{"bridge", yaml::text(settings.bridge)},
             {"pools", yaml::text_list(pools)},
             {"nameservers", yaml::text_list(settings.nameservers)},
             {"host_services", host_services(settings.host_services)},
             {"most_connections", yaml::parsed(settings.most_connections, parse_connections)}}));
        if (!pools.empty()) {
            settings.pools.clear();
        }
        for (const std::string& pool : pools) {
            const auto parsed = model::CidrAddress::parse(pool);
            if (!parsed) {
                return yaml::refuse(node, parsed.error().message());
            }
            // The address is the bridge's own.
            if (const Status usable = network::check_host_address(*parsed, parsed->address);
                !usable) {
                return yaml::refuse(node, usable.error().message());
            }
            settings.pools.push_back(*parsed);
        }
        RETURN_IF_ERROR(one_pool_per_family(settings.pools, node));
        for (const std::string& server : settings.nameservers) {
            if (const auto parsed = model::IpAddress::parse(server); !parsed) {
                return yaml::refuse(node, parsed.error().message());
            }
        }
        return {};
    };
}

} // namespace

Status apply_config(std::string_view yaml_text, const std::string& file_name, Settings& settings) {
    ASSIGN_OR_RETURN(const yaml::Node root, yaml::parse(yaml_text, file_name));
    if (root.kind == yaml::Node::Kind::none) {
        return {}; // an empty file: the defaults
    }
    std::string definitions;
    RETURN_IF_ERROR(yaml::read_mapping(
        root,
        {{"state_dir", yaml::text(settings.state_directory)},
         {"run_dir", yaml::text(settings.run_directory)},
         {"socket", yaml::text(settings.socket_path)},
         {"socket_group", yaml::text(settings.socket_group)},
         {"definitions_dir", yaml::text(definitions)},
         {"cgroup", yaml::text(settings.cgroup_base)},
         {"encryption", yaml::parsed(settings.encryption, parse_encryption_choice)},
         {"limits", limits_mode(settings.limits_best_effort)},
         {"first_uid", yaml::parsed(settings.first_uid, parse_uid)},
         {"uid_ranges", yaml::parsed(settings.uid_ranges, parse_count)},
         {"autostart_at_once", yaml::parsed(settings.autostart_at_once, parse_at_once)},
         {"stop_timeout", yaml::parsed(settings.stop_timeout, parse_time)},
         {"database_copies", yaml::parsed(settings.database_copies, parse_copies)},
         {"most_unpacked",
          yaml::parsed(settings.most_unpacked_bytes,
                       [](const std::string& w) { return parse_size(w); })},
         {"network", network_section(settings)}}));
    if (!definitions.empty()) {
        settings.definitions_directories.insert(settings.definitions_directories.begin(),
                                                definitions);
    }
    return check_ranges(settings, root);
}

Result<Settings> default_settings() {
    std::error_code error;
    const fs::path own = fs::read_symlink("/proc/self/exe", error);
    if (error) {
        return fail(ErrorCode::kernel, "read /proc/self/exe: " + error.message());
    }
    const fs::path folder = own.parent_path();
    Settings settings;
    const bool build_tree = fs::exists(folder / "lodge-unpack", error);
    settings.monitor_program = folder / "lodge-monitor";
    settings.unpack_program =
        build_tree ? folder / "lodge-unpack" : folder.parent_path() / "libexec/lodge/lodge-unpack";
    settings.definitions_directories = {build_tree
                                            ? fs::path(LODGE_DEFINITIONS_DIR)
                                            : folder.parent_path() / "share/lodge/templates"};
    ASSIGN_OR_RETURN(const auto v4, model::CidrAddress::parse("10.77.0.1/16"));
    ASSIGN_OR_RETURN(const auto v6, model::CidrAddress::parse("fd4c:6f64:6765::1/64"));
    settings.pools = {v4, v6};
    return settings;
}

} // namespace lodge::daemon
