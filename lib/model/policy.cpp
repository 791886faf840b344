#include "lib/model/policy.hpp"

#include "lib/model/value_names.hpp"

#include <algorithm>
#include <string>

namespace lodge::model {

namespace {

constexpr Names<OnBoot, 3> kOnBoot{
    {{OnBoot::no, "no"}, {OnBoot::yes, "yes"}, {OnBoot::automatic, "auto"}}};
constexpr Names<Protection, 2> kProtection{{{Protection::no, "no"}, {Protection::yes, "yes"}}};
constexpr Names<RestartWhen, 3> kRestart{{{RestartWhen::no, "no"},
                                          {RestartWhen::on_failure, "on-failure"},
                                          {RestartWhen::always, "always"}}};

Status at_most(std::uint32_t value, std::uint32_t most, const std::string& what) {
    return value <= most ? Status{}
                         : fail(ErrorCode::invalid_argument,
                                what + " of " + std::to_string(value) +
                                    " is out of range; it goes up to " + std::to_string(most));
}

} // namespace

std::string_view to_string(OnBoot onboot) noexcept {
    return name_of(kOnBoot, onboot);
}
std::string_view to_string(Protection protection) noexcept {
    return name_of(kProtection, protection);
}
std::string_view to_string(RestartWhen when) noexcept {
    return name_of(kRestart, when);
}
Result<OnBoot> parse_onboot(std::string_view text) {
    return value_of(kOnBoot, text, "a choice for onboot");
}
Result<Protection> parse_protection(std::string_view text) {
    return value_of(kProtection, text, "a choice for protect");
}
Result<RestartWhen> parse_restart(std::string_view text) {
    return value_of(kRestart, text, "a restart policy");
}

Status validate(const BootPolicy& policy) {
    RETURN_IF_ERROR(at_most(policy.order, kHighestBootOrder, "a bootorder"));
    return at_most(policy.delay_seconds, kLongestBootDelay, "a boot delay in seconds");
}

Status validate(const RestartPolicy& policy) {
    return at_most(policy.backoff_seconds, kLongestBackoff, "a restart backoff in seconds");
}

std::optional<std::chrono::seconds>
restart_delay(const RestartPolicy& policy, bool failed, std::uint32_t restarts) noexcept {
    const bool wanted =
        policy.when == RestartWhen::always || (policy.when == RestartWhen::on_failure && failed);
    if (!wanted || (policy.limit > 0 && restarts >= policy.limit)) {
        return std::nullopt;
    }
    std::uint32_t seconds = policy.backoff_seconds;
    for (std::uint32_t i = 0; i < restarts && seconds < kLongestBackoff; ++i) {
        seconds = std::max(2 * seconds, std::uint32_t{1}); // 0 applies to the first only
    }
    return std::chrono::seconds(std::min(seconds, kLongestBackoff));
}

std::chrono::seconds reboot_delay(std::uint32_t restarts) noexcept {
    constexpr RestartPolicy kReboots{.when = RestartWhen::always, .limit = 0, .backoff_seconds = 0};
    return restart_delay(kReboots, false, restarts).value_or(std::chrono::seconds(0));
}

} // namespace lodge::model
