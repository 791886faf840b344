#pragma once

#include "lib/yaml/yaml.hpp"

#include <string>

namespace lodge::yaml {

/// One document in block style that each parser of YAML 1.1 or 1.2 reads as `node`. A scalar is a
/// text, in quotes when a parser would read it as another type, unless it is `bare`. The document
/// has no control characters for a terminal. U+FFFE and U+FFFF, which YAML does not allow, become
/// U+FFFD. Pre: texts are UTF-8. Pure.
[[nodiscard]] std::string emit(const Node& node);

} // namespace lodge::yaml
