#include "cli/output.hpp"
#include "cli/spec_options.hpp"
#include "lib/api/json.hpp"
#include "lib/model/change.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <utility>

namespace lodge::cli {

namespace {

struct SetOptions {
    std::string name;
    SpecOptions fields;
};

Result<int> set(const Globals& globals, const SetOptions& options) {
    model::SpecChange change;
    bool next_start = false;
    RETURN_IF_ERROR(
        options.fields.each_given([&](const model::SpecField& field, model::FieldValue value) {
            next_start = next_start || field.counts == model::Counts::at_next_start;
            return model::add(change, field.key, std::move(value));
        }));
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
                (next_start ? "; the host name takes effect at its next start" : ""));
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
    options->fields.add_to(*command, SpecOptions::For::set);
}

} // namespace lodge::cli
