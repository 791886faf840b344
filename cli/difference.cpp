#include "cli/difference.hpp"

#include "cli/values.hpp"
#include "lib/model/spec_fields.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lodge::cli {

namespace {

using nlohmann::json;

// Compares without the length of the network's prefix.
bool has_address(const json& addresses, const std::string& asked) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const json& item) {
        const auto address = item.get<std::string>();
        return address.substr(0, address.find('/')) == asked;
    });
}

bool has_all(const json& value, const json& asked) {
    if (asked.is_array()) {
        return value.is_array() && std::all_of(asked.begin(), asked.end(), [&](const json& item) {
                   return has_address(value, item.get<std::string>());
               });
    }
    if (!asked.is_object()) {
        return value == asked;
    }
    for (const auto& [name, text] : asked.items()) {
        if (!value.is_object() || value.value(name, json()) != text) {
            return false;
        }
    }
    return true;
}

std::string told(const std::string& key, const json& value) {
    const std::string cell = cell_of(key, value);
    return cell.empty() ? "none" : cell;
}

} // namespace

std::string difference(const json& asked, const json& container) {
    std::string text;
    for (const auto& [key, wanted] : asked.items()) {
        const json value = container.value(key, json());
        const model::SpecField* const field = model::find_field(key);
        if (key == "ssh_keys" || field == nullptr || has_all(value, wanted)) {
            continue;
        }
        text += (text.empty() ? "" : "; ") + std::string(field->word) + ": " + told(key, value) +
                ", not " + told(key, wanted);
    }
    return text;
}

} // namespace lodge::cli
