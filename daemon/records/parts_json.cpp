#include "daemon/records/parts_json.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>

namespace lodge::daemon {

namespace {

using nlohmann::json;

constexpr std::uint32_t kMostSlots = 1000;

std::unexpected<Error> wrong(const std::string& what) {
    return fail(ErrorCode::corrupt,
                "it is no record of Lodge's: '" + what + "' is missing or wrong");
}

Result<std::string> text_of(const json& part, const char* key) {
    const auto at = part.find(key);
    if (at == part.end() || !at->is_string()) {
        return wrong(key);
    }
    return at->get<std::string>();
}

Result<std::uint32_t> slot_of(const json& part) {
    const auto at = part.find("slot");
    if (at == part.end() || !at->is_number_unsigned() || at->get<std::uint64_t>() >= kMostSlots) {
        return wrong("slot");
    }
    return at->get<std::uint32_t>();
}

Result<std::vector<model::CidrAddress>> addresses_of(const json& part) {
    std::vector<model::CidrAddress> addresses;
    for (const json& address : part.value("addresses", json::array())) {
        ASSIGN_OR_RETURN(
            const auto parsed,
            model::CidrAddress::parse(address.is_string() ? address.get<std::string>() : ""));
        addresses.push_back(parsed);
    }
    return addresses;
}

Status read_disk(const json& part, ContainerRecord& record) {
    model::Disk disk;
    ASSIGN_OR_RETURN(const std::string uuid, text_of(part, "uuid"));
    ASSIGN_OR_RETURN(disk.uuid, Uuid::parse(uuid));
    ASSIGN_OR_RETURN(disk.slot, slot_of(part));
    ASSIGN_OR_RETURN(const std::string sealed_key, text_of(part, "sealed_key"));
    ASSIGN_OR_RETURN(record.sealed_keys[disk.uuid], secret::from_hex(sealed_key));
    record.container.disks.push_back(disk);
    return {};
}

Status read_card(const json& part, ContainerRecord& record) {
    model::Card card;
    ASSIGN_OR_RETURN(const std::string uuid, text_of(part, "uuid"));
    ASSIGN_OR_RETURN(card.uuid, Uuid::parse(uuid));
    ASSIGN_OR_RETURN(card.slot, slot_of(part));
    ASSIGN_OR_RETURN(card.mac_address, text_of(part, "mac_address"));
    ASSIGN_OR_RETURN(card.addresses, addresses_of(part));
    record.container.cards.push_back(std::move(card));
    return {};
}

// In the order of their slots, each slot once.
template <typename Part>
bool are_in_order(const std::vector<Part>& parts) {
    for (std::size_t at = 1; at < parts.size(); ++at) {
        if (parts[at - 1].slot >= parts[at].slot) {
            return false;
        }
    }
    return true;
}

// A volume and a card had the UUID of their container.
Status read_parts_of_format_1(const json& content, ContainerRecord& record) {
    json part = content;
    part["uuid"] = record.container.uuid.to_string();
    part["slot"] = 0U;
    RETURN_IF_ERROR(read_disk(part, record));
    return read_card(part, record);
}

} // namespace

void put_parts(const ContainerRecord& record, json& content) {
    json disks = json::array();
    for (const model::Disk& disk : record.container.disks) {
        disks.push_back({{"uuid", disk.uuid.to_string()},
                         {"slot", disk.slot},
                         {"sealed_key", secret::to_hex(record.sealed_keys.at(disk.uuid))}});
    }
    json cards = json::array();
    for (const model::Card& card : record.container.cards) {
        json addresses = json::array();
        for (const model::CidrAddress& address : card.addresses) {
            addresses.push_back(address.to_string());
        }
        cards.push_back({{"uuid", card.uuid.to_string()},
                         {"slot", card.slot},
                         {"mac_address", card.mac_address},
                         {"addresses", addresses}});
    }
    content["disks"] = std::move(disks);
    content["cards"] = std::move(cards);
}

Status read_parts(const json& content, ContainerRecord& record) {
    if (!content.contains("disks")) {
        return read_parts_of_format_1(content, record);
    }
    const auto disks = content.find("disks");
    const auto cards = content.find("cards");
    if (disks == content.end() || !disks->is_array() || cards == content.end() ||
        !cards->is_array()) {
        return wrong("disks or cards");
    }
    for (const json& disk : *disks) {
        RETURN_IF_ERROR(read_disk(disk, record));
    }
    for (const json& card : *cards) {
        RETURN_IF_ERROR(read_card(card, record));
    }
    const model::Container& container = record.container;
    if (container.disks.empty() || container.root().slot != 0 || !are_in_order(container.disks) ||
        !are_in_order(container.cards)) {
        return wrong("slot");
    }
    return {};
}

} // namespace lodge::daemon
