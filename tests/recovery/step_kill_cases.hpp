#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace lodge::test {

using Words = std::vector<std::string>;

/// An act on the host.
struct Deed {
    Words words;             ///< of a `lodge` command; none: the power is cut and the host boots
    bool answers = true;     ///< its exit code is its result
    unsigned operations = 1; ///< that it begins, at least
};

/// About a container called `web1` or a template called `extra`.
struct Case {
    std::string name;
    Deed verb;
    std::vector<Deed> begin; ///< from an empty host to the start of the verb
    std::vector<Deed> back;  ///< from the end of the verb
    /// Killed at so many of its points, from the first one, lodged has it as before; at each later
    /// one it is completed. As docs/reliability.md has it.
    std::size_t undone = 0;
    /// The verb's exit code where it is done already. None: it takes `back` before it can be done
    /// again.
    std::optional<int> again = 5;
    bool needs_init = false;   ///< which must handle signals by then
    bool has_monitor = true;   ///< before the verb, after it, or on its way: that is killed too
    Words beside{"--start"};   ///< options of the container beside it
    bool stops_beside = false; ///< when web1 is there
};
void PrintTo(const Case& value, std::ostream* out); // as GoogleTest calls it

inline const Deed kStart{{"start", "web1"}};
inline const Deed kDestroy{{"destroy", "web1", "--force"}};
inline const Deed kRemove{{"template", "remove", "extra"}};

[[nodiscard]] const std::vector<Case>& step_kill_cases();

} // namespace lodge::test
