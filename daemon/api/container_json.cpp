#include "daemon/api/container_json.hpp"

#include "lib/api/json.hpp"
#include "lib/model/object_names.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace lodge::daemon {

namespace {

using nlohmann::json;
using View = ContainerView;

// Every container has one today.
const model::Card& first_card(const View& view) {
    static const model::Card kNone;
    return view.container.cards.empty() ? kNone : view.container.cards.front();
}

json texts_of(const std::vector<model::CidrAddress>& addresses) {
    json texts = json::array();
    for (const model::CidrAddress& address : addresses) {
        texts.push_back(address.to_string());
    }
    return texts;
}

json number(const std::optional<std::uint64_t>& value) {
    return value ? json(*value) : json();
}

// Fields beside those of the spec. A field here replaces the spec's field of the same key.
constexpr std::array kViewFields{
    ViewField{"uuid", [](const View& view) -> json { return view.container.uuid.to_string(); }},
    ViewField{"hostname", [](const View& view) -> json { return view.container.spec.hostname; }},
    ViewField{"state",
              [](const View& view) -> json {
                  return std::string(model::to_string(view.container.state));
              }},
    ViewField{"pid",
              [](const View& view) {
                  return view.container.init_pid ? json(*view.container.init_pid) : json();
              }},
    ViewField{"addresses", [](const View& view) { return texts_of(view.container.addresses()); }},
    ViewField{"image", [](const View& view) -> json { return view.image_path; }},
    ViewField{"uid_base", [](const View& view) -> json { return view.container.uid_base; }},
    ViewField{"template_digest",
              [](const View& view) -> json { return view.container.template_digest; }},
    ViewField{"mac_address", [](const View& view) -> json { return first_card(view).mac_address; }},
    ViewField{"busy_with", [](const View& view) -> json { return view.busy_with; }},
    ViewField{"ready", [](const View& view) -> json { return view.template_ready; }},
    ViewField{"card",
              [](const View& view) -> json { return model::card_name(first_card(view).uuid); }},
    ViewField{"uptime_seconds", [](const View& view) { return number(view.uptime_seconds); }, true},
    ViewField{
        "memory_used_bytes", [](const View& view) { return number(view.use.memory_bytes); }, true},
    ViewField{"cpu_used_ms", [](const View& view) { return number(view.use.cpu_ms); }, true},
    ViewField{"processes", [](const View& view) { return number(view.use.processes); }, true},
    ViewField{"limits_not_enforced",
              [](const View& view) -> json { return view.limits_not_enforced; }},
    ViewField{"last_exit", [](const View& view) -> json { return view.container.last_exit; }},
    ViewField{"broken_why", [](const View& view) -> json { return view.container.broken_why; }},
    ViewField{"last_error", [](const View& view) -> json { return view.container.last_error; }},
    ViewField{"created_at", [](const View& view) -> json { return view.container.created_at; }},
    ViewField{"started_at", [](const View& view) -> json { return view.container.started_at; }},
    ViewField{"restarts", [](const View& view) -> json { return view.container.restarts; }},
    ViewField{"start_planned",
              [](const View& view) -> json { return view.container.start_at.has_value(); }},
};

constexpr std::string_view kNotShown = "ssh_keys"; // of the spec

bool is_of_view(std::string_view key) {
    return std::any_of(kViewFields.begin(), kViewFields.end(), [&](const ViewField& field) {
        return field.key == key;
    });
}

bool is_of_spec(std::string_view key) {
    return key != kNotShown && !is_of_view(key) && model::find_field(key) != nullptr;
}

} // namespace

Result<std::set<std::string_view>> read_fields(std::string_view text) {
    std::set<std::string_view> keys;
    while (!text.empty()) {
        const std::string_view key = text.substr(0, text.find(','));
        if (key != kAllKeys && !is_of_view(key) && !is_of_spec(key)) {
            return fail(ErrorCode::invalid_argument,
                        "a container has no value '" + std::string(key) + "' to show");
        }
        keys.insert(key);
        text.remove_prefix(std::min(key.size() + 1, text.size()));
    }
    return keys;
}

ContainerJson::ContainerJson(const std::set<std::string_view>& keys) {
    const bool all = keys.empty() || keys.contains(kAllKeys);
    const auto wanted = [&](const char* key) { return all || keys.contains(key); };
    for (const ViewField& field : kViewFields) {
        if (field.of_use ? keys.contains(field.key) : wanted(field.key)) {
            of_view_.push_back(&field);
        }
    }
    for (const model::SpecField& field : model::spec_fields()) {
        if (wanted(field.key) && is_of_spec(field.key)) {
            of_spec_.push_back(&field);
        }
    }
}

ContainerJson ContainerJson::whole() {
    std::set<std::string_view> keys{kAllKeys};
    for (const ViewField& field : kViewFields) {
        keys.insert(field.key);
    }
    return ContainerJson(keys);
}

bool ContainerJson::shows_use() const {
    return std::ranges::any_of(of_view_, [](const ViewField* field) { return field->of_use; });
}

json ContainerJson::of(const ContainerView& view) const {
    json result = json::object();
    for (const model::SpecField* field : of_spec_) {
        if (json value = api::to_json(field->value_of(view.container.spec)); !value.is_null()) {
            result[field->key] = std::move(value);
        }
    }
    for (const ViewField* field : of_view_) {
        result[field->key] = field->value_of(view);
    }
    return result;
}

} // namespace lodge::daemon
