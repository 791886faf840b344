#include "daemon/containers/verbs.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lodge::daemon {

namespace {

Result<Plan> plan_create(const VerbInput& input) {
    return create_plan(input.parts, input.container, input.request, input.warn);
}

// One request is undone as a whole, unless the container runs.
Result<Plan> plan_create_and_start(const VerbInput& input) {
    Plan plan = followed_by(create_plan(input.parts, input.container, input.request, input.warn),
                            start_plan(input.parts, input.container));
    plan.on_recovery = OnRecovery::undo;
    return plan;
}

Result<Plan> plan_start(const VerbInput& input) {
    return start_plan(input.parts, input.container);
}

Result<Plan> plan_stop(const VerbInput& input) {
    return stop_plan(input.parts, input.container, input.order);
}

Result<Plan> plan_restart(const VerbInput& input) {
    return restart_plan(input.parts, input.container, input.order);
}

Result<Plan> plan_freeze(const VerbInput& input) {
    return freeze_plan(input.parts, input.container);
}

Result<Plan> plan_thaw(const VerbInput& input) {
    return thaw_plan(input.parts, input.container);
}

Result<Plan> plan_set(const VerbInput& input) {
    model::ContainerSpec spec = input.container.spec;
    if (input.change) {
        ASSIGN_OR_RETURN(spec, model::apply(std::move(spec), *input.change));
    }
    return set_plan(input.parts, input.container, spec);
}

Result<Plan> plan_destroy(const VerbInput& input) {
    return destroy_plan(input.parts, input.container);
}

} // namespace

namespace verbs {

using model::Verb;

constexpr ContainerVerb kCreate{.word = "create", .judged_as = {}, .plan = plan_create};
constexpr ContainerVerb kCreateAndStart{
    .word = "create+start", .judged_as = {}, .plan = plan_create_and_start, .starts = true};
constexpr ContainerVerb kStart{.word = "start",
                               .judged_as = Verb::start,
                               .plan = plan_start,
                               .earlier_boot = BootEnding::as_recorded,
                               .starts = true};
constexpr ContainerVerb kStop{.word = "stop",
                              .judged_as = Verb::stop,
                              .plan = plan_stop,
                              .earlier_boot = BootEnding::stays_down,
                              .stops_for = StopsFor::asker};
// Its monitor alone knew how init ended. A container that was not collected as the host went down
// counts as up.
constexpr ContainerVerb kCollect{.word = "collect",
                                 .judged_as = {},
                                 .plan = plan_stop,
                                 .earlier_boot = BootEnding::as_recorded,
                                 .stops_for = StopsFor::init};
constexpr ContainerVerb kStopWithHost{.word = "stop with host",
                                      .judged_as = Verb::stop,
                                      .plan = plan_stop,
                                      .earlier_boot = BootEnding::comes_back,
                                      .stops_for = StopsFor::host};
constexpr ContainerVerb kRestart{.word = "restart",
                                 .judged_as = Verb::restart,
                                 .plan = plan_restart,
                                 .earlier_boot = BootEnding::comes_back,
                                 .stops_for = StopsFor::asker,
                                 .starts = true};
constexpr ContainerVerb kFreeze{.word = "freeze",
                                .judged_as = Verb::freeze,
                                .plan = plan_freeze,
                                .earlier_boot = BootEnding::as_recorded};
constexpr ContainerVerb kThaw{.word = "thaw",
                              .judged_as = Verb::thaw,
                              .plan = plan_thaw,
                              .earlier_boot = BootEnding::as_recorded};
constexpr ContainerVerb kSet{.word = "set", .judged_as = Verb::set, .plan = plan_set};
constexpr ContainerVerb kDestroy{
    .word = "destroy", .judged_as = Verb::destroy, .plan = plan_destroy};

} // namespace verbs

std::span<const ContainerVerb* const> container_verbs() {
    static constexpr std::array kAll{&verbs::kCreate,
                                     &verbs::kCreateAndStart,
                                     &verbs::kStart,
                                     &verbs::kStop,
                                     &verbs::kCollect,
                                     &verbs::kStopWithHost,
                                     &verbs::kRestart,
                                     &verbs::kFreeze,
                                     &verbs::kThaw,
                                     &verbs::kSet,
                                     &verbs::kDestroy};
    return kAll;
}

const ContainerVerb* find_container_verb(std::string_view word) {
    const auto all = container_verbs();
    const auto found = std::ranges::find(all, word, &ContainerVerb::word);
    return found == all.end() ? nullptr : *found;
}

} // namespace lodge::daemon
