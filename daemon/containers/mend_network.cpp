#include "daemon/containers/mend_network.hpp"

#include <map>
#include <string>

namespace lodge::daemon {

namespace {

void tell(const Parts& parts, const std::string& detail) {
    parts.events.publish(
        {.kind = "daemon", .resource = parts.settings.bridge, .what = "mended", .detail = detail});
}

Status put_cards_back(const Parts& parts) {
    ASSIGN_OR_RETURN(const auto cards, parts.links.cards(parts.settings.bridge));
    std::map<std::string, std::string> faults;
    for (const network::FoundCard& card : cards) {
        if (!card.fault.empty()) {
            faults[card.name] = card.fault;
        }
    }
    ASSIGN_OR_RETURN(const auto containers, parts.containers.list_all());
    for (const model::Container& container : containers) {
        const bool runs =
            container.state == model::State::running || container.state == model::State::frozen;
        for (const model::Card& card : container.cards) {
            if (!runs || !faults.contains(model::card_name(card.uuid))) {
                continue;
            }
            const Status done = parts.links.reattach(parts.nic_of(card));
            // A container that is being stopped has no card any more.
            if (!done && done.error().code() != ErrorCode::not_found) {
                parts.warn("'" + container.spec.name + "': " + done.error().to_string());
            }
        }
    }
    return {};
}

} // namespace

Status mend_network(const Parts& parts) {
    const network::BridgeSpec bridge = parts.settings.bridge_spec();
    ASSIGN_OR_RETURN(const std::string fault, parts.links.bridge_fault(bridge));
    if (!fault.empty()) {
        RETURN_IF_ERROR(parts.links.ensure_bridge(bridge));
        tell(parts, "mend_bridge: the bridge " + bridge.name + ": " + fault);
        RETURN_IF_ERROR(put_cards_back(parts));
    }
    ASSIGN_OR_RETURN(const std::string forwarding, parts.links.forwarding_fault(bridge.name));
    if (!forwarding.empty()) {
        RETURN_IF_ERROR(parts.links.ensure_forwarding(bridge.name));
        tell(parts, "mend_forwarding: the host: " + forwarding);
    }
    return {};
}

} // namespace lodge::daemon
