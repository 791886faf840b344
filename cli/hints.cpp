#include "cli/hints.hpp"

#include "cli/output.hpp"

#include <nlohmann/json.hpp>

namespace lodge::cli {

std::string there_are(const Globals& globals, const std::string& path) {
    constexpr std::size_t kNamed = 8;
    const auto text = globals.client().call("GET", path);
    const auto all = text ? parse_answer(*text) : Result<nlohmann::json>(nlohmann::json());
    if (!all || !all->is_array()) {
        return {};
    }
    std::string names;
    std::size_t count = 0;
    for (const nlohmann::json& one : *all) {
        if (++count <= kNamed) {
            names += (names.empty() ? "" : ", ") + one.value("name", "");
        }
    }
    return names.empty() ? "; there is none yet"
           : count > kNamed
               ? "; there are: " + names + " and " + std::to_string(count - kNamed) + " more"
               : "; there are: " + names;
}

} // namespace lodge::cli
