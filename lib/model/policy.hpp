#pragma once

#include "lib/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lodge::model {

/// Whether a container is started when its host has booted. `automatic`: if it ran when the host
/// went down, by a shutdown or by a crash.
enum class OnBoot : std::uint8_t { no, yes, automatic };

/// How a container starts at the boot of its host. As in vzctl, a higher order starts earlier.
struct BootPolicy {
    OnBoot onboot = OnBoot::automatic;
    std::uint32_t order = 0;
    std::uint32_t delay_seconds = 0; ///< the next container waits this long
    bool operator==(const BootPolicy&) const = default;
};

/// Whether a container is protected from `destroy`. A protected container cannot be destroyed until
/// its protection is removed.
enum class Protection : std::uint8_t { no, yes };

/// Whether a container is started again when its init has ended by itself.
enum class RestartWhen : std::uint8_t { no, on_failure, always };

struct RestartPolicy {
    RestartWhen when = RestartWhen::no;
    std::uint32_t limit = 0;           ///< of consecutive restarts; 0: no limit
    std::uint32_t backoff_seconds = 1; ///< before the first; doubles with each consecutive restart
    bool operator==(const RestartPolicy&) const = default;
};

[[nodiscard]] std::string_view to_string(OnBoot onboot) noexcept;         ///< "no", "yes", "auto"
[[nodiscard]] std::string_view to_string(Protection protection) noexcept; ///< "no", "yes"
[[nodiscard]] std::string_view
to_string(RestartWhen when) noexcept; ///< "no", "on-failure", "always"
[[nodiscard]] Result<OnBoot> parse_onboot(std::string_view text);
[[nodiscard]] Result<Protection> parse_protection(std::string_view text);
[[nodiscard]] Result<RestartWhen> parse_restart(std::string_view text);

inline constexpr std::uint32_t kHighestBootOrder = 9999;
inline constexpr std::uint32_t kLongestBootDelay = 3600; ///< seconds
inline constexpr std::uint32_t kLongestBackoff = 300;    ///< seconds; doubling ends here too

/// invalid_argument when a value is out of range.
[[nodiscard]] Status validate(const BootPolicy& policy);
[[nodiscard]] Status validate(const RestartPolicy& policy);

/// The count of restarts begins again when a container ran this long before it ended.
inline constexpr std::chrono::seconds kSoundRun{60};

/// The pause before the restart of a container whose init ended by itself; nullopt: it stays
/// stopped. `failed`: init ended neither by a halt nor with exit code 0. `restarts`: the number of
/// consecutive restarts so far.
[[nodiscard]] std::optional<std::chrono::seconds>
restart_delay(const RestartPolicy& policy, bool failed, std::uint32_t restarts) noexcept;

/// The pause before the restart of a container whose init asked for a reboot, after `restarts`
/// consecutive short runs: none, then 1 s, 2 s and so on, as with a policy.
[[nodiscard]] std::chrono::seconds reboot_delay(std::uint32_t restarts) noexcept;

} // namespace lodge::model
