#include "cli/filter.hpp"

#include "lib/model/container.hpp"
#include "lib/model/policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

#include <fnmatch.h>

namespace lodge::cli {

using nlohmann::json;

struct Filter::Key {
    const char* name;
    const char* field; ///< the API's
    Status (*judge)(const std::string& value);
    bool (*holds)(const json& of_field, const std::string& value);
};

namespace {

Status take_anything(const std::string&) {
    return {};
}

template <auto kParse>
Status take_known(const std::string& value) {
    RETURN_IF_ERROR(kParse(value));
    return {};
}

bool is_text(const json& of_field, const std::string& value) {
    return of_field.is_string() && of_field.get_ref<const std::string&>() == value;
}

bool matches(const std::string& pattern, const std::string& text) {
    return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

bool is_like(const json& of_field, const std::string& pattern) {
    return of_field.is_string() && matches(pattern, of_field.get_ref<const std::string&>());
}

// Matches an address with or without the length of its network's prefix.
bool is_at_address(const json& of_field, const std::string& pattern) {
    return of_field.is_array() &&
           std::any_of(of_field.begin(), of_field.end(), [&](const json& item) {
               const auto address = item.get<std::string>();
               return matches(pattern, address) ||
                      matches(pattern, address.substr(0, address.find('/')));
           });
}

Status take_label(const std::string& value) {
    return value.empty() || value.front() == '='
               ? fail(ErrorCode::invalid_argument, "a label is KEY or KEY=VALUE")
               : Status{};
}

// `wanted`: "KEY", with any value, or "KEY=VALUE".
bool has_label(const json& of_field, const std::string& wanted) {
    if (!of_field.is_object()) {
        return false;
    }
    const std::size_t sign = wanted.find('=');
    const auto found = of_field.find(wanted.substr(0, sign));
    return found != of_field.end() &&
           (sign == std::string::npos || is_text(*found, wanted.substr(sign + 1)));
}

constexpr std::array kKeys{
    Filter::Key{"name", "name", take_anything, is_like},
    Filter::Key{"state", "state", take_known<model::parse_state>, is_text},
    Filter::Key{"template", "template", take_anything, is_like},
    Filter::Key{"label", "labels", take_label, has_label},
    Filter::Key{"address", "addresses", take_anything, is_at_address},
    Filter::Key{"hostname", "hostname", take_anything, is_like},
    Filter::Key{"encryption", "encryption", take_known<model::parse_encryption>, is_text},
    Filter::Key{"rootfs", "rootfs", take_known<model::parse_rootfs>, is_text},
    Filter::Key{"onboot", "onboot", take_known<model::parse_onboot>, is_text},
    Filter::Key{"restart", "restart", take_known<model::parse_restart>, is_text},
    Filter::Key{"protect", "protect", take_known<model::parse_protection>, is_text},
};

std::string listed(const std::vector<std::string_view>& words) {
    std::string text;
    for (const std::string_view word : words) {
        text.append(text.empty() ? "" : ", ").append(word);
    }
    return text;
}

} // namespace

Result<Filter> Filter::parse(const std::vector<std::string>& conditions) {
    Filter filter;
    for (const std::string& words : conditions) {
        const std::size_t sign = words.find('=');
        const std::string name = words.substr(0, sign);
        const auto* const key = std::find_if(
            kKeys.begin(), kKeys.end(), [&](const Key& one) { return one.name == name; });
        if (key == kKeys.end()) {
            return fail(ErrorCode::invalid_argument,
                        "there is no key '" + name + "'; there are: " + listed(keys()));
        }
        if (sign == std::string::npos) {
            return fail(ErrorCode::invalid_argument,
                        "'" + words + "' is not of the form KEY=VALUE");
        }
        std::string value = words.substr(sign + 1);
        if (const Status judged = key->judge(value); !judged) {
            return fail(judged.error().code(), name + ": " + judged.error().message());
        }
        filter.conditions_.push_back({key, std::move(value)});
    }
    return filter;
}

bool Filter::admits(const json& container) const {
    return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
        const auto value = container.find(condition.key->field);
        return value != container.end() && condition.key->holds(*value, condition.value);
    });
}

std::set<std::string_view> Filter::fields() const {
    std::set<std::string_view> fields;
    for (const Condition& condition : conditions_) {
        fields.insert(condition.key->field);
    }
    return fields;
}

std::vector<std::string_view> Filter::keys() {
    std::vector<std::string_view> names;
    names.reserve(kKeys.size());
    for (const Key& key : kKeys) {
        names.emplace_back(key.name);
    }
    return names;
}

} // namespace lodge::cli
