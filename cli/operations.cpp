#include "cli/hints.hpp"
#include "cli/output.hpp"
#include "lib/base/uuid.hpp"

#include <nlohmann/json.hpp>

#include <memory>

namespace lodge::cli {

namespace {

using nlohmann::json;

Result<int> list_operations(const Globals& globals, bool all) {
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("GET", "/v1/operations"));
    ASSIGN_OR_RETURN(const json known, parse_answer(text));
    json shown = json::array();
    std::vector<std::vector<std::string>> rows{{"ID", "VERB", "OF", "STATUS", "STEP"}};
    for (const json& one : known) {
        const std::string status = one.value("status", "");
        if (all || status == "running") {
            shown.push_back(one);
            rows.push_back({one.value("id", ""),
                            one.value("verb", ""),
                            one.value("resource", ""),
                            status,
                            one.value("step", "")});
        }
    }
    if (globals.json) {
        print_json(shown);
    } else {
        print_table(rows);
    }
    return 0;
}

// Waits for the end without a limit. After a second it names the operation.
Status await_end(const Globals& globals, const std::string& path) {
    for (const char* wait : {"1s", "1h"}) {
        const auto answer = globals.client().call("GET", path + "/wait?wait=" + wait);
        if (!answer) {
            // The answer for a failed operation, and so for a cancelled one, is its error.
            return answer.error().code() == ErrorCode::cancelled
                       ? Status{}
                       : Status(std::unexpected<Error>(answer.error()));
        }
        ASSIGN_OR_RETURN(const json operation, parse_answer(*answer));
        if (operation.value("status", "") != "running") {
            break;
        }
        confirm(globals,
                "waiting for " + operation.value("verb", "") + " '" +
                    operation.value("resource", "") + "', which cannot be ended in its step '" +
                    operation.value("step", "") + "' or is being undone ...");
    }
    return {};
}

// Returns when the operation is undone: only then is the container or template free.
Result<int> cancel(const Globals& globals, const std::string& id) {
    if (!Uuid::parse(id)) {
        return fail(ErrorCode::invalid_argument,
                    "operation cancel: '" + id + "' is not an operation's id" +
                        operations_on_their_way(globals));
    }
    const std::string path = "/v1/operations/" + escaped(id);
    RETURN_IF_ERROR(globals.client().call("POST", path + "/cancel"));
    RETURN_IF_ERROR(of_same_daemon(await_end(globals, path)));
    ASSIGN_OR_RETURN(const std::string text, of_same_daemon(globals.client().call("GET", path)));
    ASSIGN_OR_RETURN(const json operation, parse_answer(text));
    if (operation.value("status", "") == "succeeded") {
        return fail(ErrorCode::invalid_state, "it was done before it could be cancelled");
    }
    if (globals.json) {
        print_json(operation);
    }
    confirm(globals,
            operation.value("verb", "") + " '" + operation.value("resource", "") +
                "': " + operation.value("status", ""));
    return 0;
}

} // namespace

void add_operation_commands(const Registry& registry) {
    const Globals& globals = registry.globals;
    CLI::App* family = registry.app.add_subcommand("operation", "What is on its way");
    family->require_subcommand(1);
    const auto all = std::make_shared<bool>(false);
    registry
        .add(*family,
             "list",
             "List operations on their way",
             [&globals, all] { return list_operations(globals, *all); })
        ->add_flag("--all", *all, "Also the last that have ended, up to 256");
    const auto id = std::make_shared<std::string>();
    registry
        .add(*family,
             "cancel",
             "End one that can still be undone",
             [&globals, id] { return cancel(globals, *id); })
        ->add_option("ID", *id, "Of the operation")
        ->required();
}

} // namespace lodge::cli
