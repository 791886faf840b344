#include "tests/recovery/step_kill_cases.hpp"

#include <csignal>
#include <utility>

namespace lodge::test {

namespace {

// Init ends by itself, as the guest's init does at that signal.
Deed ends_inside(int signal, unsigned operations = 1) {
    return {.words = {"exec", "web1", "--", "/bin/guest", "signal-init", std::to_string(signal)},
            .answers = false,
            .operations = operations};
}

const Deed kCreate{{"create", "web1", "--template", "tiny"}};
const Deed kRun{{"create", "web1", "--template", "tiny", "--start"}};
const Deed kThaw{{"thaw", "web1"}};
const Deed kFreeze{{"freeze", "web1"}};
const Deed kImport{{"template", "import", "extra", "extra.tar"}};

std::vector<Case> verbs() {
    return {
        {.name = "restart",
         .verb = {{"restart", "web1"}},
         .begin = {kRun},
         .back = {},
         .undone = 1,
         .again = 0,
         .needs_init = true},
        {.name = "create_start",
         .verb = kRun,
         .begin = {},
         .back = {kDestroy},
         .undone = 32,
         .again = 4},
        {.name = "destroy_force",
         .verb = kDestroy,
         .begin = {kRun},
         .back = {kRun},
         .undone = 1,
         .again = 3},
        {.name = "destroy",
         .verb = {{"destroy", "web1"}},
         .begin = {kCreate},
         .back = {kCreate},
         .undone = 1,
         .again = 3,
         .has_monitor = false},
        {.name = "stop",
         .verb = {{"stop", "web1"}},
         .begin = {kRun},
         .back = {kStart},
         .undone = 1,
         .needs_init = true},
        {.name = "start",
         .verb = kStart,
         .begin = {kCreate},
         .back = {{{"stop", "web1", "--force"}}},
         .undone = 18},
        {.name = "stop_force",
         .verb = {{"stop", "web1", "--force"}},
         .begin = {kRun},
         .back = {kStart},
         .undone = 1},
        {.name = "kill", .verb = {{"kill", "web1"}}, .begin = {kRun}, .back = {kStart}},
        {.name = "create",
         .verb = kCreate,
         .begin = {},
         .back = {kDestroy},
         .undone = 16,
         .again = 4,
         .has_monitor = false},
        {.name = "set",
         .verb = {{"set", "web1", "--hostname", "other"}},
         .begin = {kRun},
         .back = {{{"set", "web1", "--hostname", "web1"}}},
         .undone = 6,
         .again = 0},
        {.name = "freeze", .verb = kFreeze, .begin = {kRun}, .back = {kThaw}, .undone = 6},
        {.name = "thaw", .verb = kThaw, .begin = {kRun, kFreeze}, .back = {kFreeze}, .undone = 6},
        {.name = "template_build",
         .verb = {{"template", "build", "debian-12", "--name", "extra"}},
         .begin = {},
         .back = {kRemove},
         .undone = 6,
         .again = 4,
         .has_monitor = false},
        {.name = "template_import",
         .verb = kImport,
         .begin = {},
         .back = {kRemove},
         .undone = 6,
         .again = 4,
         .has_monitor = false},
        {.name = "template_remove",
         .verb = kRemove,
         .begin = {kImport},
         .back = {kImport},
         .undone = 4,
         .again = 3,
         .has_monitor = false},
        // The monitor dies in `stop`, at the same steps.
        {.name = "stop_with_host",
         .verb = {{"host", "shutdown"}},
         .begin = {kRun},
         .back = {{.words = {"host", "startup"}, .operations = 2}},
         .undone = 5,
         .again = 0,
         .needs_init = true,
         .has_monitor = false,
         .beside = {"--bootorder", "9", "--start"},
         .stops_beside = true},
    };
}

// Operations that begin without a request.
std::vector<Case> incidents() {
    return {
        {.name = "start_at_boot",
         .verb = {.words = {}, .answers = false},
         .begin = {kRun},
         .back = {},
         .again = 0,
         .beside = {"--onboot", "no"}},
        {.name = "reboot_inside",
         .verb = ends_inside(SIGINT),
         .begin = {kRun},
         // Only the first short life is followed by the next one at once.
         .back = {{{"restart", "web1", "--force"}}},
         .again = {},
         .needs_init = true},
        // The monitor dies in `collect` and `start_at_boot`, at the same steps.
        {.name = "restart_policy",
         .verb = ends_inside(SIGUSR1, 2),
         .begin = {{{"create",
                     "web1",
                     "--template",
                     "tiny",
                     "--restart",
                     "on-failure",
                     "--restart-backoff",
                     "0",
                     "--start"}}},
         .back = {{{"restart", "web1", "--force"}}}, // only the first time it is done at once
         .again = {},
         .needs_init = true,
         .has_monitor = false},
        {.name = "collect",
         .verb = ends_inside(SIGPWR),
         .begin = {kRun},
         .back = {kStart},
         .needs_init = true},
    };
}

} // namespace

// GoogleTest deals the tests to shards in turn: so long cases are in pairs.
const std::vector<Case>& step_kill_cases() {
    static const std::vector<Case> all = [] {
        std::vector<Case> both = verbs();
        for (Case& incident : incidents()) {
            both.push_back(std::move(incident));
        }
        return both;
    }();
    return all;
}

void PrintTo(const Case& value, std::ostream* out) {
    *out << value.name;
}

} // namespace lodge::test
