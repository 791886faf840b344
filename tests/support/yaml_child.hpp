#pragma once

#include "lib/yaml/yaml.hpp"

#include <string>

namespace lodge::test {

/// The value of a mapping's key; an empty node when there is none.
[[nodiscard]] inline const yaml::Node& child(const yaml::Node& node, const std::string& key) {
    static const yaml::Node nothing;
    for (const auto& [name, value] : node.entries) {
        if (name == key) {
            return value;
        }
    }
    return nothing;
}

} // namespace lodge::test
