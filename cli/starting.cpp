#include "cli/starting.hpp"

#include "cli/output.hpp"
#include "cli/underway.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <span>
#include <utility>

namespace lodge::cli {

using nlohmann::json;

namespace {

Status check_waitable(const std::string& what,
                      const std::string& option,
                      std::span<const char* const> known) {
    std::string names;
    for (const char* const one : known) {
        if (what == one) {
            return {};
        }
        names += (names.empty() ? "" : ", ") + std::string(one);
    }
    return fail(ErrorCode::invalid_argument,
                option + ": '" + what + "' cannot be waited for; there are: " + names);
}

} // namespace

Status check_awaited(const std::string& what, const std::string& verb) {
    return what.empty() ? Status{}
                        : check_waitable(what, verb + " --wait", std::array{"running", "ready"});
}

Status check_state_awaited(const std::string& what) {
    return check_waitable(what, "wait --for", std::array{"running", "ready", "stopped"});
}

Result<json> wait_for(const Globals& globals,
                      const std::string& name,
                      const std::string& what,
                      const std::string& timeout) {
    ASSIGN_OR_RETURN(const std::string text,
                     globals.client().call("GET",
                                           container_path(name) + "/wait?for=" + escaped(what) +
                                               "&timeout=" + escaped(timeout)));
    return parse_answer(text);
}

Status await(const Globals& globals, const std::string& name, const std::string& what) {
    if (!what.empty()) {
        const Underway underway("'" + name + "' is started and not awaited any more; `lodge wait " +
                                name + "` does it again");
        RETURN_IF_ERROR(of_same_daemon(wait_for(globals, name, what, "5m")));
    }
    return {};
}

Result<Outcome> start_if_needed(const Globals& globals, const std::string& name) {
    const std::string path = container_path(name);
    auto operation = run_operation(globals, "POST", path + "/start");
    if (operation) {
        return Outcome{.answer = std::move(*operation), .told = "'" + name + "' is running"};
    }
    if (operation.error().code() == ErrorCode::invalid_state) {
        ASSIGN_OR_RETURN(const std::string text,
                         of_same_daemon(globals.client().call("GET", path)));
        ASSIGN_OR_RETURN(const json now, parse_answer(text));
        if (now.value("state", "") == "running") {
            return Outcome{.answer = json::object(), .told = "'" + name + "' was running already"};
        }
    }
    return std::unexpected<Error>(std::move(operation).error());
}

} // namespace lodge::cli
