#include "lib/model/change.hpp"

#include <string>
#include <utility>

namespace lodge::model {

namespace {

Status put_all(ContainerSpec& spec, const SpecChange& change) {
    for (const auto& [key, value] : change) {
        RETURN_IF_ERROR(put(spec, *find_field(key), value));
    }
    return {};
}

} // namespace

Status add(SpecChange& change, std::string_view key, FieldValue value) {
    const SpecField* field = find_field(key);
    if (field == nullptr) {
        return fail(ErrorCode::invalid_argument, "unknown key '" + std::string(key) + "'");
    }
    if (field->counts == Counts::at_creation) {
        return fail(ErrorCode::invalid_argument,
                    "'" + std::string(key) + "' is settled when a container is made");
    }
    ContainerSpec judged;
    RETURN_IF_ERROR(put(judged, *field, value));
    if (auto* added = std::get_if<std::map<std::string, std::string>>(&value)) {
        if (const auto earlier = change.find(field->key); earlier != change.end()) {
            added->merge(std::get<std::map<std::string, std::string>>(earlier->second));
        }
    }
    change[field->key] = std::move(value);
    return {};
}

Result<ContainerSpec> apply(ContainerSpec spec, const SpecChange& change) {
    if (change.empty()) {
        return fail(ErrorCode::invalid_argument, "nothing was given that is to be changed");
    }
    RETURN_IF_ERROR(put_all(spec, change));
    if (spec.hostname.empty()) {
        spec.hostname = spec.name;
    }
    RETURN_IF_ERROR(validate(spec));
    return spec;
}

Resources limits_asked(const SpecChange& change) {
    ContainerSpec alone;
    return put_all(alone, change) ? alone.resources : Resources{}; // add() judged each value
}

} // namespace lodge::model
