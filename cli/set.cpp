#include "cli/limits.hpp"
#include "cli/output.hpp"
#include "cli/policy_options.hpp"
#include "lib/api/json.hpp"
#include "lib/base/units.hpp"
#include "lib/model/change.hpp"

#include <nlohmann/json.hpp>

#include <memory>

namespace lodge::cli {

namespace {

struct SetOptions {
    std::string name;
    std::string memory;
    std::string cpus;
    std::string pids;
    std::string hostname;
    PolicyOptions policies;
};

// What a flag says, when it was given; "none" takes the limit away.
template <typename T, typename Parse>
Status take(const std::string& words, model::SpecChange::Limit<T>& into, Parse parse) {
    if (words.empty()) {
        return {};
    }
    into = std::optional<T>();
    if (words != "none") {
        ASSIGN_OR_RETURN(*into, parse(words));
    }
    return {};
}

Result<model::SpecChange> make_change(const SetOptions& options) {
    model::SpecChange change;
    RETURN_IF_ERROR(take(options.memory, change.memory_bytes, parse_size));
    RETURN_IF_ERROR(take(options.cpus, change.cpu_millis, parse_cpus));
    RETURN_IF_ERROR(take(options.pids, change.pids, parse_pids));
    if (!options.hostname.empty()) {
        change.hostname = options.hostname;
    }
    ASSIGN_OR_RETURN(change.policies, policies_of(options.policies));
    return change;
}

Result<int> set(const Globals& globals, const SetOptions& options) {
    ASSIGN_OR_RETURN(const model::SpecChange change, make_change(options));
    ASSIGN_OR_RETURN(const nlohmann::json operation,
                     run_operation(globals,
                                   "PATCH",
                                   "/v1/containers/" + escaped(options.name),
                                   api::to_json(change).dump()));
    if (globals.json) {
        print_json(operation);
    }
    confirm(globals,
            "'" + options.name + "' is changed" +
                (change.hostname ? "; the host name takes effect at its next start" : ""));
    return 0;
}

} // namespace

void add_set_command(const Registry& registry) {
    const auto options = std::make_shared<SetOptions>();
    const Globals& globals = registry.globals;
    CLI::App* command =
        registry.add(registry.app, "set", "Change a container", [&globals, options] {
            return set(globals, *options);
        });
    command->add_option("NAME", options->name, "The container")->required();
    command->add_option("--memory,--ram", options->memory, "Memory limit, such as 512M, or none");
    command->add_option("--cpus", options->cpus, "CPU limit, such as 1.5, or none");
    command->add_option("--pids", options->pids, "Limit of processes, or none");
    command->add_option(
        "--hostname", options->hostname, "Host name inside, from the next start on");
    add_policy_options(*command, options->policies);
}

} // namespace lodge::cli
