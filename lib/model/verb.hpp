#pragma once

#include "lib/base/error.hpp"
#include "lib/model/container.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace lodge::model {

/// The verbs for an existing container.
enum class Verb : std::uint8_t {
    start,
    stop,
    restart,
    kill,
    freeze,
    thaw,
    set,
    destroy,
    exec,
    console
};

inline constexpr std::array kVerbs{Verb::start,
                                   Verb::stop,
                                   Verb::restart,
                                   Verb::kill,
                                   Verb::freeze,
                                   Verb::thaw,
                                   Verb::set,
                                   Verb::destroy,
                                   Verb::exec,
                                   Verb::console};
inline constexpr std::array kStates{State::stopped, State::running, State::frozen, State::broken};

[[nodiscard]] std::string_view to_string(Verb verb) noexcept;

/// The one table of verbs and states: success, or invalid_state with the reason and, where there is
/// one, the next act. This does not check whether another operation is running.
[[nodiscard]] Status allowed(Verb verb, State state, std::string_view name);

} // namespace lodge::model
