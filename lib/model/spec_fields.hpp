#pragma once

#include "lib/base/error.hpp"
#include "lib/model/container.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lodge::model {

/// A field's value as it travels in requests, files and records: none, a number, a text, texts, or
/// texts by name.
using FieldValue = std::variant<std::monostate,
                                std::uint64_t,
                                std::string,
                                std::vector<std::string>,
                                std::map<std::string, std::string>>;

/// The time from which a value counts. A value that counts only at creation cannot be changed.
enum class Counts : std::uint8_t { at_creation, at_once, at_next_start };

/// One field of a container's specification. This is its only description: JSON, specification
/// files, options, `info`, records and the database use it, and tests compare docs/cli.md and
/// docs/openapi.yaml with it. Immutable.
struct SpecField {
    const char* key;       ///< in JSON and in the database: "memory_bytes"
    const char* word;      ///< in specification files: "memory"
    const char* option;    ///< "--memory,--ram"; nullptr: `create` has its own option for it
    const char* help;      ///< of the option
    const char* initially; ///< the default, for the help; nullptr: there is none
    Counts counts;

    const char* wanted = nullptr; ///< the kind of value, for errors: "a text"
    bool removable = false;       ///< a value of none, or the word "none", removes it
    bool several = false;         ///< texts: the option may be repeated
    bool (*fits)(const FieldValue& value) = nullptr;
    FieldValue (*value_of)(const ContainerSpec& spec) = nullptr;
    Status (*take)(ContainerSpec& spec, const FieldValue& value) = nullptr; ///< Pre: it fits
    /// Parses the form that people write: "512M". For a field of several texts: `words` is one of
    /// them, and the result holds that one.
    Result<FieldValue> (*parse)(const std::string& words) = nullptr;
};

[[nodiscard]] std::span<const SpecField> spec_fields();
/// nullptr: no field has this key.
[[nodiscard]] const SpecField* find_field(std::string_view key);

/// Puts a value into the spec, judged by itself; validate() judges the whole. invalid_argument
/// names the key for a value of another kind.
[[nodiscard]] Status put(ContainerSpec& spec, const SpecField& field, const FieldValue& value);

} // namespace lodge::model
