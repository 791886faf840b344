#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// A kernel setting that no namespace divides, with the value that a host of many containers needs.
/// etc/sysctl.d/lodge.conf sets each and has a longer reason; a unit test compares the two.
struct HostSetting {
    enum class Bound : std::uint8_t { at_least, at_most };
    std::string_view name; ///< as sysctl(8) writes it
    Bound bound = Bound::at_least;
    std::uint64_t wanted = 0;
    std::string_view why; ///< the effect of another value
};
[[nodiscard]] std::span<const HostSetting> host_settings();

/// A setting with its current value.
struct SeenSetting {
    HostSetting setting;
    std::optional<std::uint64_t> value; ///< absent: this kernel has no such setting, or no number

    /// Whether the value is within the bound. True for an absent setting.
    [[nodiscard]] bool suits() const;
    /// The advice for a value out of bounds; empty if suits().
    [[nodiscard]] std::string what_to_do() const;
};
/// All of them, in the order of the table. `root`: a directory such as /proc/sys.
[[nodiscard]] std::vector<SeenSetting> look_at_settings(const std::string& root);

[[nodiscard]] std::string_view to_string(HostSetting::Bound bound);

} // namespace lodge::daemon
