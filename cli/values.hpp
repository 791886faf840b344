#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

/// The forms of values for people, the same in all commands.
namespace lodge::cli {

/// The form depends on the name of the field: times ("..._at") as ISO 8601, sizes ("...bytes"),
/// spans ("..._seconds", "..._ms") and CPUs ("..._millis") with a unit, the texts of a list or an
/// object with commas. Empty for none.
[[nodiscard]] std::string cell_of(std::string_view field, const nlohmann::json& value);

/// A size in bytes: exact, as parse_size() reads it ("2G"), if that is short; else rounded to one
/// decimal ("1.4G").
[[nodiscard]] std::string told_size(std::uint64_t bytes);
/// A span by its two largest units: "3d 4h", "12s".
[[nodiscard]] std::string told_span(std::uint64_t seconds);
/// The strings of a list, with commas.
[[nodiscard]] std::string joined(const nlohmann::json& list);
/// Texts by name: "tier=gold,zone=a".
[[nodiscard]] std::string joined_labels(const nlohmann::json& labels);

} // namespace lodge::cli
