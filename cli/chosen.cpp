#include "cli/chosen.hpp"

#include "cli/exit_code.hpp"
#include "cli/filter.hpp"
#include "cli/hints.hpp"
#include "cli/output.hpp"
#include "cli/words.hpp"
#include "lib/api/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <iostream>
#include <mutex>
#include <set>
#include <utility>

namespace lodge::cli {

namespace {

using nlohmann::json;

// The number of workers that lodged starts with: more requests would wait there.
constexpr std::size_t kAtATime = 16;

std::vector<std::string> without_twins(const std::vector<std::string>& names) {
    std::vector<std::string> once;
    std::set<std::string> seen;
    for (const std::string& name : names) {
        if (seen.insert(name).second) {
            once.push_back(name);
        }
    }
    return once;
}

// --all and --filter leave out a container whose state does not allow the verb. They include a
// broken one, so that the user sees the error.
bool is_meant(const json& container, const std::optional<model::Verb>& verb) {
    const auto state = model::parse_state(container.value("state", ""));
    if (!verb || !state || *state == model::State::broken) {
        return true;
    }
    const bool called_off = *verb == model::Verb::stop && container.value("start_planned", false);
    return called_off || model::allowed(*verb, *state, "").has_value();
}

Result<int> act_alone(const Globals& globals, const std::string& name, const ActOnOne& act) {
    ASSIGN_OR_RETURN(const Outcome outcome, act(globals, name));
    if (globals.json) {
        print_json(outcome.answer);
    }
    if (outcome.told_alone) {
        confirm(globals, outcome.told);
    }
    return 0;
}

// Runs a verb for several containers in threads, and reports each when it ends.
class Several {
  public:
    Several(const Globals& globals, std::vector<std::string> names)
        : globals_(globals), names_(std::move(names)), errors_(names_.size()),
          answers_(names_.size()) {}

    void run(const ActOnOne& act) {
        Globals each = globals_;
        each.quiet = true; // all of them would write their progress to one line
        std::atomic<std::size_t> next = 0;
        const auto work = [&] {
            for (std::size_t at = next++; at < names_.size(); at = next++) {
                note(at, act(each, names_[at]));
            }
        };
        std::vector<std::future<void>> workers;
        for (std::size_t i = 0; i < std::min(kAtATime, names_.size()); ++i) {
            workers.push_back(std::async(std::launch::async, work));
        }
        for (auto& worker : workers) {
            worker.get(); // throws the exception of the thread
        }
    }
    [[nodiscard]] json answers() const {
        json all = json::array();
        for (std::size_t at = 0; at < names_.size(); ++at) {
            const std::optional<Error>& error = errors_[at];
            json one = error ? api::to_json(*error) : json{{"outcome", answers_[at]}};
            one["name"] = names_[at];
            all.push_back(std::move(one));
        }
        return all;
    }
    [[nodiscard]] int exit_code() const {
        const auto failed = [](const std::optional<Error>& error) { return error.has_value(); };
        if (std::ranges::none_of(errors_, failed)) {
            return 0;
        }
        const std::optional<Error>& first = errors_.front();
        return first && std::ranges::all_of(errors_, failed) ? exit_code_of(*first) : Chosen::kSome;
    }

  private:
    void note(std::size_t at, Result<Outcome> result) {
        const std::lock_guard lock(telling_);
        if (result) {
            confirm(globals_, result->told);
            answers_[at] = std::move(result->answer);
            return;
        }
        errors_[at] = std::move(result).error();
        if (!globals_.json) {
            const std::string quoted = "'" + names_[at] + "'";
            const bool named = errors_[at]->message().find(quoted) != std::string::npos;
            tell_error(globals_, *errors_[at], named ? "" : quoted + ": ");
        }
    }

    const Globals& globals_;
    std::vector<std::string> names_;
    std::mutex telling_;
    std::vector<std::optional<Error>> errors_; ///< of those that failed
    std::vector<json> answers_;
};

} // namespace

void Chosen::add_to(CLI::App& command) {
    verb_ = command.get_name();
    add_names(command, names_, "The containers");
    command.add_flag("--all", all_, "All containers instead, or those of --filter");
    add_list(command, "--filter", conditions_, kFilterHelp);
}

Result<std::vector<std::string>> Chosen::find(const Globals& globals, const Rules& rules) const {
    ASSIGN_OR_RETURN(const Filter filter,
                     of_option(Filter::parse(conditions_), verb_ + " --filter"));
    std::string query = "?fields=name,state,start_planned";
    for (const std::string_view field : filter.fields()) {
        query.append(",").append(field);
    }
    ASSIGN_OR_RETURN(const std::string text,
                     globals.client().call("GET", "/v1/containers" + query));
    ASSIGN_OR_RETURN(const json all, parse_answer(text));
    std::vector<std::string> names;
    for (const json& one : all) {
        if (filter.admits(one) && is_meant(one, rules.verb)) {
            names.push_back(one.value("name", ""));
        }
    }
    return names;
}

Result<int> Chosen::each(const Globals& globals, const Rules& rules, const ActOnOne& act) const {
    const bool by_search = all_ || !conditions_.empty();
    if (by_search != names_.empty()) {
        return fail(ErrorCode::invalid_argument,
                    verb_ +
                        (by_search
                             ? std::string(": NAME and --all or --filter exclude each other")
                             : ": NAME is required: one or more, or --all, or --filter KEY=VALUE" +
                                   there_are(globals, "/v1/containers?fields=name")));
    }
    if (all_ && conditions_.empty() && !rules.whole_host.empty()) {
        return fail(ErrorCode::invalid_argument, rules.whole_host);
    }
    std::vector<std::string> names = without_twins(names_);
    if (by_search) {
        ASSIGN_OR_RETURN(names, find(globals, rules));
    } else if (names.size() == 1) {
        return act_alone(globals, names.front(), act);
    }
    if (names.empty()) {
        confirm(globals, "there is none to do this to");
    }
    Several several(globals, std::move(names));
    several.run(act);
    if (globals.json) {
        print_json(several.answers());
    }
    return several.exit_code();
}

} // namespace lodge::cli
