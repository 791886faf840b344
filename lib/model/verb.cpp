#include "lib/model/verb.hpp"

#include <cstddef>

namespace lodge::model {

namespace {

// An empty cell: the verb is allowed. Otherwise the cell is the end of an error that begins with
// "'web1' ".
struct Row {
    Verb verb;
    std::string_view name;
    std::array<std::string_view, kStates.size()> refusals; ///< in the order of kStates
};

constexpr std::string_view kNotRunning = "is not running; start it first";
constexpr std::string_view kBroken =
    "is broken; see `lodge info`, stop it with --force or destroy it";
constexpr std::string_view kFrozen = "is frozen; thaw it first";

constexpr std::array kTable{
    //                        stopped                running              frozen   broken
    Row{Verb::start, "start", {"", "is already running", "is already running (frozen)", kBroken}},
    Row{Verb::stop, "stop", {"is already stopped", "", "", ""}},
    Row{Verb::restart, "restart", {"", "", "", kBroken}},
    Row{Verb::kill, "kill", {kNotRunning, "", "", kBroken}},
    Row{Verb::freeze, "freeze", {kNotRunning, "", "is already frozen", kBroken}},
    Row{Verb::thaw, "thaw", {kNotRunning, "is not frozen", "", kBroken}},
    Row{Verb::set, "set", {"", "", "", ""}},
    Row{Verb::destroy,
        "destroy",
        {"",
         "is running; stop it first or use --force",
         "is running; stop it first or use --force",
         ""}},
    Row{Verb::exec, "exec", {kNotRunning, "", kFrozen, kBroken}},
    Row{Verb::console, "console", {kNotRunning, "", "", kBroken}},
};

const Row& row_of(Verb verb) {
    for (const Row& row : kTable) {
        if (row.verb == verb) {
            return row;
        }
    }
    return kTable.front(); // not reached: every verb has a row, which a test checks
}

} // namespace

std::string_view to_string(Verb verb) noexcept {
    return row_of(verb).name;
}

Status allowed(Verb verb, State state, std::string_view name) {
    const Row& row = row_of(verb);
    for (std::size_t i = 0; i < kStates.size(); ++i) {
        if (kStates[i] == state && !row.refusals[i].empty()) {
            return fail(ErrorCode::invalid_state,
                        "'" + std::string(name) + "' " + std::string(row.refusals[i]));
        }
    }
    return {};
}

} // namespace lodge::model
