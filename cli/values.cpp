#include "cli/values.hpp"

#include "lib/base/units.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <ctime>
#include <string_view>
#include <utility>

namespace lodge::cli {

using nlohmann::json;

std::string told_size(std::uint64_t bytes) {
    constexpr std::string_view kUnits = "KMGTPE";
    constexpr std::size_t kShort = 4;
    std::string exact = format_size(bytes);
    const bool has_unit = exact.back() > '9';
    if (bytes < 1024 || (has_unit && exact.size() <= kShort)) {
        return exact;
    }
    std::uint64_t tenths = bytes / 1024 * 10 + bytes % 1024 * 10 / 1024;
    std::size_t unit = 0;
    for (; tenths >= 10240; ++unit) {
        tenths /= 1024;
    }
    return std::to_string(tenths / 10) + (tenths < 1000 ? "." + std::to_string(tenths % 10) : "") +
           kUnits[unit];
}

std::string told_span(std::uint64_t seconds) {
    constexpr std::array<std::pair<std::uint64_t, char>, 4> kUnits{
        {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}};
    for (std::size_t i = 0; i < kUnits.size(); ++i) {
        const auto& [unit, letter] = kUnits[i];
        if (seconds < unit) {
            continue;
        }
        std::string text = std::to_string(seconds / unit) + letter;
        if (i + 1 < kUnits.size()) {
            const auto& [smaller, next] = kUnits[i + 1];
            const std::uint64_t rest = seconds % unit / smaller;
            text += rest == 0 ? "" : " " + std::to_string(rest) + next;
        }
        return text;
    }
    return "0s";
}

std::string joined(const json& list) {
    std::string text;
    for (const json& item : list) {
        text += (text.empty() ? "" : ",") + item.get<std::string>();
    }
    return text;
}

std::string joined_labels(const json& labels) {
    std::string text;
    for (const auto& [key, value] : labels.items()) {
        text += (text.empty() ? "" : ",") + key + "=" + value.get<std::string>();
    }
    return text;
}

namespace {

std::string told_milliseconds(std::uint64_t milliseconds) {
    return milliseconds < 1000 ? std::to_string(milliseconds) + "ms"
                               : told_span(milliseconds / 1000);
}

std::string told_time(std::int64_t unix_seconds) {
    if (unix_seconds == 0) {
        return {};
    }
    const auto time = static_cast<std::time_t>(unix_seconds);
    std::tm parts{};
    std::array<char, 32> text{};
    (void)::gmtime_r(&time, &parts);
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

} // namespace

std::string cell_of(std::string_view field, const json& value) {
    if (value.is_null()) {
        return {};
    }
    if (value.is_number_integer() && field.ends_with("_at")) {
        return told_time(value.get<std::int64_t>());
    }
    if (value.is_number_unsigned() && field.ends_with("bytes")) {
        return told_size(value.get<std::uint64_t>());
    }
    if (value.is_number_unsigned() && field.ends_with("_seconds")) {
        return told_span(value.get<std::uint64_t>());
    }
    if (value.is_number_unsigned() && field.ends_with("_ms")) {
        return told_milliseconds(value.get<std::uint64_t>());
    }
    if (value.is_number_unsigned() && field.ends_with("_millis")) {
        return format_cpus(value.get<std::uint32_t>());
    }
    return value.is_string()   ? value.get<std::string>()
           : value.is_array()  ? joined(value)
           : value.is_object() ? joined_labels(value)
                               : value.dump();
}

} // namespace lodge::cli
