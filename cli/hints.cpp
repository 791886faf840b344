#include "cli/hints.hpp"

#include "cli/output.hpp"

#include <nlohmann/json.hpp>

namespace lodge::cli {

namespace {

using nlohmann::json;

// The first few entries of the API's list at `path`, in the form that `told` gives them. An entry
// whose text is empty is left out.
std::string listed(const Globals& globals,
                   const std::string& path,
                   const std::string& none,
                   std::string (*told)(const json& one)) {
    constexpr std::size_t kNamed = 8;
    const auto text = globals.client().call("GET", path);
    const auto all = text ? parse_answer(*text) : Result<json>(json());
    if (!all || !all->is_array()) {
        return {};
    }
    std::string words;
    std::size_t count = 0;
    for (const json& one : *all) {
        const std::string word = told(one);
        if (!word.empty() && ++count <= kNamed) {
            words += (words.empty() ? "" : ", ") + word;
        }
    }
    return words.empty() ? none
           : count > kNamed
               ? "; there are: " + words + " and " + std::to_string(count - kNamed) + " more"
               : "; there are: " + words;
}

} // namespace

std::string there_are(const Globals& globals, const std::string& path) {
    return listed(globals, path, "; there is none yet", [](const json& one) {
        return one.value("name", "");
    });
}

std::string operations_on_their_way(const Globals& globals) {
    return listed(globals,
                  "/v1/operations",
                  "; none that can be cancelled is on its way",
                  [](const json& one) {
                      return one.value("cancellable", false)
                                 ? one.value("id", "") + " (" + one.value("verb", "") + " '" +
                                       one.value("resource", "") + "')"
                                 : std::string();
                  });
}

} // namespace lodge::cli
