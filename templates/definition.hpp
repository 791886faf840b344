#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lodge::templates {

/// A small file that a definition adds to the tree, owned by root.
struct DefinedFile {
    std::string path; ///< absolute, inside the tree
    unsigned mode = 0644;
    std::string content; ///< of a symlink: its target
    bool symlink = false;
};

/// A template definition: data, one YAML file in templates/definitions/. docs/templates.md has
/// every key.
struct Definition {
    std::string name;
    std::string description;
    std::string builder; ///< "mmdebstrap"
    std::string suite;   ///< "bookworm"
    std::string variant; ///< "minbase"
    std::vector<std::string> packages;
    std::string init;                    ///< "/sbin/init"
    std::string halt_signal;             ///< "SIGRTMIN+3", "SIGPWR", ...
    std::string ready;                   ///< "ssh" or "running"
    std::vector<std::string> mask_units; ///< systemd units linked to /dev/null
    std::vector<std::string> remove;     ///< paths removed; the last component may be a pattern
    std::vector<DefinedFile> files;
};

/// Parses and validates; an unknown or repeated key is refused with its line. Pure.
[[nodiscard]] Result<Definition> parse_definition(std::string_view yaml,
                                                  const std::string& file_name);
/// The definition `name` of directories of NAME.yaml files. A file in an earlier directory stands
/// in for one of the same name in a later one. not_found lists the existing ones.
[[nodiscard]] Result<Definition> load_definition(const std::vector<std::string>& directories,
                                                 const std::string& name);
/// All of them, by name.
[[nodiscard]] Result<std::vector<Definition>>
load_definitions(const std::vector<std::string>& directories);

} // namespace lodge::templates
