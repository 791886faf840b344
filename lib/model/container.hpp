#pragma once

#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"
#include "lib/model/address.hpp"
#include "lib/model/policy.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lodge::model {

/// How a volume is encrypted. `none` is used only when the request names it.
enum class Encryption { luks2, fscrypt, none };
/// `shared`: overlay over the template's image. `private_tree`: the template unpacked into the
/// volume.
enum class Rootfs { shared, private_tree };
/// The stored states. Transitional states are the existence of an unfinished operation.
enum class State { stopped, running, frozen, broken };

[[nodiscard]] std::string_view
to_string(Encryption encryption) noexcept;                        ///< "luks2", "fscrypt", "none"
[[nodiscard]] std::string_view to_string(Rootfs rootfs) noexcept; ///< "shared", "private"
[[nodiscard]] std::string_view to_string(State state) noexcept;
[[nodiscard]] Result<Encryption> parse_encryption(std::string_view text);
[[nodiscard]] Result<Rootfs> parse_rootfs(std::string_view text);
[[nodiscard]] Result<State> parse_state(std::string_view text);

/// Limits; an absent limit means "as much as the host has".
struct Resources {
    std::optional<std::uint64_t> memory_bytes;
    std::optional<std::uint32_t> cpu_millis; ///< thousandths of a CPU
    std::optional<std::uint32_t> pids;
    bool operator==(const Resources&) const = default;
};

/// The request for a container: all values that it is made from, without secrets. Value type.
struct ContainerSpec {
    std::string name;          ///< a DNS label
    std::string template_name; ///< as in `template list`
    std::string hostname;      ///< empty: the name
    std::uint64_t disk_bytes = std::uint64_t{2} << 30;
    Resources resources;
    std::optional<Encryption> encryption; ///< absent: the best this host has
    Rootfs rootfs = Rootfs::shared;
    std::vector<IpAddress> addresses;  ///< requested; the pool gives a missing family
    std::vector<std::string> ssh_keys; ///< public keys, one line each
    BootPolicy boot;
    RestartPolicy restart;
    Protection protect = Protection::no;
    std::string description;                   ///< for people
    std::map<std::string, std::string> labels; ///< for filters
};

/// A volume of a container, in its slot. The names of its image, loop device and mapping come from
/// its own UUID, so that a volume can move to another container.
struct Disk {
    Uuid uuid;
    std::uint32_t slot = 0; ///< 0: the root filesystem is on it
    bool operator==(const Disk&) const = default;

    [[nodiscard]] std::string name() const; ///< "root", "disk1"
};

/// The wrapped key of each volume, by its UUID.
using SealedKeys = std::map<Uuid, std::string>;

/// A network card of a container, in its slot. The name of the host's end comes from its own UUID.
struct Card {
    Uuid uuid;
    std::uint32_t slot = 0;
    std::string mac_address;            ///< of the container's end, "02:xx:.."
    std::vector<CidrAddress> addresses; ///< assigned
    bool operator==(const Card&) const = default;

    [[nodiscard]] std::string name() const; ///< of the container's end: "eth0"
};

/// A container as the daemon knows it.
struct Container {
    Uuid uuid;
    ContainerSpec spec; ///< `encryption` is set
    State state = State::stopped;
    std::uint32_t uid_base = 0; ///< first of 65,536 host ids
    std::string template_digest;
    std::vector<Disk> disks; ///< in the order of their slots; slot 0 is there
    std::vector<Card> cards; ///< in the order of their slots
    std::optional<std::int32_t> init_pid;
    std::optional<std::uint64_t> init_start_time; ///< field 22 of /proc/PID/stat
    std::string last_exit;  ///< how init ended last: "", "halt", "reboot", "exit 1", "signal 11"
    std::string broken_why; ///< set while `broken`
    std::string last_error; ///< why it failed to start or ended unasked; empty after a start
    std::int64_t created_at = 0; ///< Unix seconds
    std::int64_t started_at = 0; ///< Unix seconds, 0: never
    std::optional<std::int64_t>
        start_at;               ///< the daemon will start it: CLOCK_BOOTTIME, milliseconds
    bool resume = false;        ///< a shutdown of the host stopped it
    std::uint32_t restarts = 0; ///< consecutive ones by its restart policy

    /// Pre: there is a disk; every row has one.
    [[nodiscard]] const Disk& root() const { return disks.front(); }
    /// The addresses of all cards, in the order of their slots.
    [[nodiscard]] std::vector<CidrAddress> addresses() const;
};

/// A name is a DNS label (RFC 1123): 1 to 63 of a-z, 0-9 and '-', neither first nor last a '-'.
[[nodiscard]] Status validate_name(std::string_view name);
/// One or more labels with dots between, at most 64 characters (HOST_NAME_MAX, man 7 hostname).
[[nodiscard]] Status validate_hostname(std::string_view hostname);
/// One OpenSSH public key line (sshd(8), AUTHORIZED_KEYS): known type, base64 whose inner type
/// agrees, no control characters. A private key is refused and named as such, never quoted.
[[nodiscard]] Status validate_ssh_public_key(std::string_view line);
/// Judges all properties of a spec that do not depend on the host.
[[nodiscard]] Status validate(const ContainerSpec& spec);

/// The smallest volume that has room for ext4 with Lodge's layout and for a boot.
inline constexpr std::uint64_t kSmallestDisk = std::uint64_t{64} << 20;
inline constexpr std::uint64_t kSmallestMemory = std::uint64_t{16} << 20;
/// The kernel's smallest quota of cpu.max is 1 ms; our period is 100 ms.
inline constexpr std::uint32_t kSmallestCpuMillis = 10;
inline constexpr std::uint32_t kIdsPerContainer = 65536;

} // namespace lodge::model
