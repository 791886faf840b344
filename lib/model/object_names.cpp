#include "lib/model/object_names.hpp"

namespace lodge::model {

namespace {

constexpr std::string_view kGroupPrefix = "ct-";
constexpr std::string_view kCardPrefix = "ve-";
constexpr std::size_t kCardDigits = 12;
constexpr std::string_view kLabelPrefix = "lodge-";

std::optional<Uuid> uuid_behind(std::string_view prefix, std::string_view name) {
    if (!name.starts_with(prefix)) {
        return std::nullopt;
    }
    const auto uuid = Uuid::parse(name.substr(prefix.size()));
    return uuid ? std::optional(*uuid) : std::nullopt;
}

} // namespace

std::string group_name(const Uuid& container) {
    return std::string(kGroupPrefix) + container.to_string();
}

std::optional<Uuid> container_of_group(std::string_view name) {
    return uuid_behind(kGroupPrefix, name);
}

std::string card_name(const Uuid& card) {
    return std::string(kCardPrefix) + card.short_hex(kCardDigits);
}

bool is_card_name(std::string_view name) noexcept {
    return name.size() == kCardPrefix.size() + kCardDigits && begins_as_card_name(name) &&
           name.find_first_not_of("0123456789abcdef", kCardPrefix.size()) == std::string_view::npos;
}

bool begins_as_card_name(std::string_view name) noexcept {
    return name.starts_with(kCardPrefix);
}

std::string volume_label(const Uuid& volume) {
    return std::string(kLabelPrefix) + volume.to_string();
}

std::optional<Uuid> volume_of_label(std::string_view label) {
    return uuid_behind(kLabelPrefix, label);
}

} // namespace lodge::model
