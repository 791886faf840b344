#pragma once

#include "lib/yaml/yaml.hpp"

#include <string>

namespace lodge::yaml {

/// One document, in block style, that any parser of YAML 1.1 or 1.2 reads back as `node` is. A
/// scalar is a text, in quotes where one would take it for something else, unless it is `bare`.
/// Nothing in it would be obeyed by a terminal. U+FFFE and U+FFFF, which YAML has no place for,
/// become U+FFFD. Pre: texts are UTF-8. Pure.
[[nodiscard]] std::string emit(const Node& node);

} // namespace lodge::yaml
