#pragma once

#include "lib/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lodge::model {

/// Whether a container is started when its host has booted. `automatic`: when it ran as the host
/// went down, in whatever way.
enum class OnBoot : std::uint8_t { no, yes, automatic };

/// How a container comes up with its host. As with vzctl: the higher the order, the earlier.
struct BootPolicy {
    OnBoot onboot = OnBoot::automatic;
    std::uint32_t order = 0;
    std::uint32_t delay_seconds = 0; ///< what comes behind it waits this long
    bool operator==(const BootPolicy&) const = default;
};

/// Whether a container can be destroyed. One that is protected has to lose its protection first.
enum class Protection : std::uint8_t { no, yes };

/// Whether a container is started again when its init has ended by itself.
enum class RestartWhen : std::uint8_t { no, on_failure, always };

struct RestartPolicy {
    RestartWhen when = RestartWhen::no;
    std::uint32_t limit = 0;           ///< of restarts in a row; 0: none
    std::uint32_t backoff_seconds = 1; ///< before the first; doubles with each in a row
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

/// invalid_argument for what is out of range.
[[nodiscard]] Status validate(const BootPolicy& policy);
[[nodiscard]] Status validate(const RestartPolicy& policy);

/// A container that ran this long before it ended begins to count its restarts anew.
inline constexpr std::chrono::seconds kSoundRun{60};

/// How long to wait before a container whose init has ended by itself is started again; none: it
/// stays stopped. `failed`: init did not end by a halt or with exit code 0. `restarts`: how many
/// there were in a row.
[[nodiscard]] std::optional<std::chrono::seconds>
restart_delay(const RestartPolicy& policy, bool failed, std::uint32_t restarts) noexcept;

/// How long to wait before a container whose init has asked for a reboot is started again, after
/// `restarts` short lives in a row: not at all, then 1 s, 2 s and so on, as with a policy.
[[nodiscard]] std::chrono::seconds reboot_delay(std::uint32_t restarts) noexcept;

} // namespace lodge::model
