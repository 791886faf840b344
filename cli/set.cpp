#include "cli/chosen.hpp"
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
    Chosen chosen;
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
    if (change.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "set: nothing was given that is to be changed; see `lodge help set`");
    }
    const auto act = [&](const Globals& of_one, const std::string& name) -> Result<Outcome> {
        ASSIGN_OR_RETURN(
            nlohmann::json operation,
            run_operation(of_one, "PATCH", container_path(name), api::to_json(change).dump()));
        return Outcome{.answer = std::move(operation),
                       .told =
                           "'" + name + "' is changed" +
                           (next_start ? "; the host name takes effect at its next start" : "")};
    };
    return options.chosen.each(globals, {}, act);
}

} // namespace

void add_set_command(const Registry& registry) {
    const auto options = std::make_shared<SetOptions>();
    const Globals& globals = registry.globals;
    CLI::App* command = registry.add(registry.app, "set", "Change containers", [&globals, options] {
        return set(globals, *options);
    });
    options->chosen.add_to(*command);
    options->fields.add_to(*command, SpecOptions::For::set);
}

} // namespace lodge::cli
