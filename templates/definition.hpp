#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::templates {

/// A template definition: data, one YAML file in templates/definitions/. See templates/README.md for
/// every key.
struct Definition {
    std::string name;
    std::string description;
    std::string builder; ///< "mmdebstrap"
    std::string suite;   ///< "bookworm"
    std::string variant; ///< "minbase"
    std::vector<std::string> packages;
    std::string init;        ///< "/sbin/init"
    std::string halt_signal; ///< "SIGRTMIN+3", "SIGINT", ...
    std::string ready;       ///< "ssh" or "running"
    std::vector<std::string> locales;
    std::vector<std::string> mask_units; ///< systemd units linked to /dev/null
    std::vector<std::string> remove;     ///< paths (globs) removed from the tree
};

/// Parses and validates; an unknown or repeated key is refused with its line. Pure.
[[nodiscard]] Result<Definition> parse_definition(std::string_view yaml, const std::string& file_name);
/// The definition `name` of a directory of NAME.yaml files; not_found lists those there are.
[[nodiscard]] Result<Definition> load_definition(const std::string& directory, const std::string& name);
[[nodiscard]] Result<std::vector<Definition>> load_definitions(const std::string& directory);

} // namespace lodge::templates
