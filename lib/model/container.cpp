#include "lib/model/container.hpp"

#include "lib/base/printable.hpp"
#include "lib/base/units.hpp"
#include "lib/model/value_names.hpp"

#include <algorithm>
#include <set>

namespace lodge::model {

namespace {

constexpr Names<Encryption, 3> kEncryptions{
    {{Encryption::luks2, "luks2"}, {Encryption::fscrypt, "fscrypt"}, {Encryption::none, "none"}}};
constexpr Names<Rootfs, 2> kRootfs{{{Rootfs::shared, "shared"}, {Rootfs::private_tree, "private"}}};
constexpr Names<State, 4> kStateNames{{{State::stopped, "stopped"},
                                       {State::running, "running"},
                                       {State::frozen, "frozen"},
                                       {State::broken, "broken"}}};

bool is_label(std::string_view label) {
    const auto is_label_character = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), is_label_character);
}

// A person's input, shortened and made printable for an error.
std::string quoted(std::string_view text) {
    constexpr std::size_t kMost = 80;
    return "'" + printable(text.substr(0, kMost)) + (text.size() > kMost ? "...'" : "'");
}

Status validate_addresses(const std::vector<IpAddress>& addresses) {
    std::set<IpAddress::Family> families;
    for (const IpAddress& address : addresses) {
        if (!families.insert(address.family()).second) {
            return fail(ErrorCode::invalid_argument,
                        "more than one address of a family was asked for");
        }
    }
    return {};
}

Status validate_resources(const Resources& resources) {
    if (resources.memory_bytes && *resources.memory_bytes < kSmallestMemory) {
        return fail(ErrorCode::invalid_argument,
                    "memory of " + format_size(*resources.memory_bytes) +
                        " is too little to boot with; give at least " +
                        format_size(kSmallestMemory));
    }
    if (resources.cpu_millis && *resources.cpu_millis < kSmallestCpuMillis) {
        return fail(ErrorCode::invalid_argument,
                    "less than 0.01 of a CPU is too little to boot with");
    }
    if (resources.pids && *resources.pids < 16) {
        return fail(ErrorCode::invalid_argument,
                    "fewer than 16 processes are too few to boot with");
    }
    return {};
}

} // namespace

std::string_view to_string(Encryption encryption) noexcept {
    return name_of(kEncryptions, encryption);
}
std::string_view to_string(Rootfs rootfs) noexcept {
    return name_of(kRootfs, rootfs);
}
std::string_view to_string(State state) noexcept {
    return name_of(kStateNames, state);
}

Result<Encryption> parse_encryption(std::string_view text) {
    return value_of(kEncryptions, text, "an encryption");
}
Result<Rootfs> parse_rootfs(std::string_view text) {
    return value_of(kRootfs, text, "a kind of root");
}
Result<State> parse_state(std::string_view text) {
    return value_of(kStateNames, text, "a state");
}

std::string Disk::name() const {
    return slot == 0 ? "root" : "disk" + std::to_string(slot);
}

std::string Card::name() const {
    return "eth" + std::to_string(slot);
}

std::vector<CidrAddress> Container::addresses() const {
    std::vector<CidrAddress> all;
    for (const Card& card : cards) {
        all.insert(all.end(), card.addresses.begin(), card.addresses.end());
    }
    return all;
}

Status validate_name(std::string_view name) {
    if (!is_label(name)) {
        return fail(
            ErrorCode::invalid_argument,
            quoted(name) +
                " is not a name: use 1 to 63 of a-z, 0-9 and '-', with no '-' at either end");
    }
    return {};
}

Status validate_hostname(std::string_view hostname) {
    bool good = hostname.size() <= 64;
    std::string_view rest = hostname;
    while (good) {
        const std::size_t dot = rest.find('.');
        good = is_label(rest.substr(0, dot));
        if (dot == std::string_view::npos) {
            break;
        }
        rest.remove_prefix(dot + 1);
    }
    if (!good) {
        return fail(ErrorCode::invalid_argument,
                    quoted(hostname) +
                        " is not a host name: labels of a-z, 0-9 and '-' joined by dots, "
                        "at most 64 characters");
    }
    return {};
}

namespace {

Status validate_description(const std::string& description) {
    constexpr std::size_t kLongest = 1024;
    if (description.size() > kLongest || printable(description) != description) {
        return fail(ErrorCode::invalid_argument,
                    "a description is a line of at most 1024 bytes without control characters");
    }
    return {};
}

// These characters alone, so that no key of a label needs quotes on a command line or in a filter.
bool is_label_key(std::string_view key) {
    constexpr std::size_t kLongest = 63;
    return !key.empty() && key.size() <= kLongest && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.' || c == '/';
    });
}

Status validate_labels(const std::map<std::string, std::string>& labels) {
    constexpr std::size_t kMost = 64;
    constexpr std::size_t kLongestValue = 255;
    if (labels.size() > kMost) {
        return fail(ErrorCode::invalid_argument, "more than 64 labels were given");
    }
    for (const auto& [key, value] : labels) {
        if (!is_label_key(key)) {
            return fail(
                ErrorCode::invalid_argument,
                quoted(key) +
                    " is not a label's key: 1 to 63 of letters, digits, '-', '_', '.', '/'");
        }
        if (value.size() > kLongestValue || printable(value) != value) {
            return fail(ErrorCode::invalid_argument,
                        "the value of the label " + quoted(key) +
                            " is not at most 255 bytes of text without control characters");
        }
    }
    return {};
}

} // namespace

Status validate(const ContainerSpec& spec) {
    RETURN_IF_ERROR(validate_name(spec.name));
    if (!spec.hostname.empty()) {
        RETURN_IF_ERROR(validate_hostname(spec.hostname));
    }
    RETURN_IF_ERROR(with_context(validate_name(spec.template_name), "template"));
    if (spec.disk_bytes < kSmallestDisk) {
        return fail(ErrorCode::invalid_argument,
                    "a disk of " + format_size(spec.disk_bytes) +
                        " is too small for a filesystem to boot from; give at least " +
                        format_size(kSmallestDisk));
    }
    RETURN_IF_ERROR(validate_resources(spec.resources));
    RETURN_IF_ERROR(validate_addresses(spec.addresses));
    RETURN_IF_ERROR(validate(spec.boot));
    RETURN_IF_ERROR(validate(spec.restart));
    RETURN_IF_ERROR(validate_description(spec.description));
    RETURN_IF_ERROR(validate_labels(spec.labels));
    constexpr std::size_t kMostKeys = 64;
    if (spec.ssh_keys.size() > kMostKeys) {
        return fail(ErrorCode::invalid_argument, "more than 64 ssh keys were given");
    }
    for (const std::string& key : spec.ssh_keys) {
        RETURN_IF_ERROR(validate_ssh_public_key(key));
    }
    return {};
}

} // namespace lodge::model
