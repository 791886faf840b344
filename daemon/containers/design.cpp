#include "daemon/containers/container_service.hpp"
#include "daemon/containers/encryption_choice.hpp"
#include "daemon/containers/limits.hpp"
#include "daemon/containers/logged_verb.hpp"
#include "daemon/containers/plans.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace lodge::daemon {

Status Containers::check_limits(const model::Resources& resources) const {
    if (parts_.settings.limits_best_effort) {
        return {};
    }
    const auto need =
        [&](bool asked, const std::string& controller, const std::string& option) -> Status {
        const std::string why = asked ? parts_.groups.support().why_not(controller) : std::string();
        return why.empty() ? Status{}
                           : fail(ErrorCode::unsupported,
                                  option + " cannot be enforced on this host: " + why);
    };
    RETURN_IF_ERROR(need(resources.memory_bytes.has_value(), "memory", "--memory"));
    RETURN_IF_ERROR(need(resources.cpu_millis.has_value(), "cpu", "--cpus"));
    return need(resources.pids.has_value(), "pids", "--pids");
}

Status Containers::assign_addresses(const model::ContainerSpec& spec, model::Card& card) const {
    ASSIGN_OR_RETURN(auto used, parts_.containers.used_addresses());
    for (const auto& [uuid, other] : designed_) {
        for (const model::CidrAddress& address : other.addresses()) {
            used.push_back(address.address);
        }
    }
    std::sort(used.begin(), used.end());
    for (const model::CidrAddress& pool : parts_.settings.pools) {
        const auto asked = std::find_if(
            spec.addresses.begin(), spec.addresses.end(), [&](const model::IpAddress& address) {
                return address.family() == pool.address.family();
            });
        if (asked == spec.addresses.end()) {
            ASSIGN_OR_RETURN(const auto free, network::allocate_address(pool, pool.address, used));
            card.addresses.push_back({free, pool.prefix});
            continue;
        }
        RETURN_IF_ERROR(network::check_host_address(pool, *asked));
        if (*asked == pool.address) {
            return fail(ErrorCode::invalid_argument,
                        "the address " + asked->to_string() +
                            " is the host's own, the gateway of the containers");
        }
        if (std::binary_search(used.begin(), used.end(), *asked)) {
            return fail(ErrorCode::already_exists,
                        "the address " + asked->to_string() + " is in use");
        }
        card.addresses.push_back({*asked, pool.prefix});
    }
    if (card.addresses.size() < spec.addresses.size()) {
        return fail(ErrorCode::invalid_argument,
                    "an address was asked for of a family that has no pool here");
    }
    return {};
}

Status Containers::assign_uid_base(model::Container& container) const {
    ASSIGN_OR_RETURN(auto used, parts_.containers.used_uid_bases());
    for (const auto& [uuid, other] : designed_) {
        used.push_back(other.uid_base);
    }
    std::sort(used.begin(), used.end());
    for (std::uint32_t range = 0; range < parts_.settings.uid_ranges; ++range) {
        const std::uint32_t base = parts_.settings.first_uid + range * model::kIdsPerContainer;
        if (!std::binary_search(used.begin(), used.end(), base)) {
            container.uid_base = base;
            return {};
        }
    }
    return fail(ErrorCode::resource_exhausted,
                "all " + std::to_string(parts_.settings.uid_ranges) + " id ranges are in use");
}

// Pre: designing_ is held.
Result<model::Container> Containers::design(CreateRequest& request) {
    RETURN_IF_ERROR(model::validate(request.spec));
    model::Container container{.spec = request.spec,
                               .created_at = static_cast<std::int64_t>(::time(nullptr))};
    ASSIGN_OR_RETURN(container.uuid, Uuid::generate());
    container.disks.push_back({.uuid = container.uuid}); // see Settings::volume_directory()
    model::Card card;
    ASSIGN_OR_RETURN(card.uuid, Uuid::generate());
    card.mac_address = network::mac_address_of(card.uuid);
    if (container.spec.hostname.empty()) {
        container.spec.hostname = container.spec.name;
    }
    if (parts_.containers.find(container.spec.name)) {
        return fail(ErrorCode::already_exists,
                    "a container called '" + container.spec.name + "' exists already");
    }
    ASSIGN_OR_RETURN(const auto made_of, parts_.templates.find(container.spec.template_name));
    container.template_digest = made_of.digest;
    ASSIGN_OR_RETURN(container.spec.encryption,
                     choose_encryption(container.spec.encryption, parts_.settings, parts_.volumes));
    RETURN_IF_ERROR(check_limits(container.spec.resources));
    if (!request.any_pids && !container.spec.resources.pids &&
        parts_.groups.support().why_not("pids").empty()) {
        container.spec.resources.pids = kDefaultPids;
    }
    RETURN_IF_ERROR(assign_addresses(container.spec, card));
    container.cards.push_back(std::move(card));
    RETURN_IF_ERROR(assign_uid_base(container));
    return container;
}

Result<Uuid> Containers::create(const Caller&, CreateRequest request) {
    const std::lock_guard guard(designing_);
    std::erase_if(designed_, [&](const auto& entry) {
        return engine_.busy_with(entry.second.spec.name).empty();
    });
    ASSIGN_OR_RETURN(model::Container container, design(request));
    const ContainerVerb& verb = request.start ? verbs::kCreateAndStart : verbs::kCreate;
    ASSIGN_OR_RETURN(const Uuid id, Uuid::generate());
    ASSIGN_OR_RETURN(
        Plan plan,
        verb.plan({.parts = parts_,
                   .container = container,
                   .request = std::make_shared<CreateRequest>(std::move(request)),
                   .warn = [this, id](const std::string& what) { engine_.warn(id, what); }}));
    designed_[container.uuid] = container;
    auto submitted = engine_.submit(
        {.verb = std::string(verb.word),
         .resource = container.spec.name,
         .arguments = to_arguments({.container = container.uuid, .halt_timeout = {}}),
         .id = id,
         .prepare = [&]() -> Result<Plan> {
             RETURN_IF_ERROR(is_welcome(verb));
             return std::move(plan);
         }});
    if (!submitted) {
        designed_.erase(container.uuid);
    }
    return submitted;
}

} // namespace lodge::daemon
