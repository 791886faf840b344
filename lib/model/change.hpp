#pragma once

#include "lib/base/error.hpp"
#include "lib/model/spec_fields.hpp"

#include <map>
#include <string_view>

namespace lodge::model {

/// New values for fields of a spec, by the keys of the fields. The value "none" removes the field's
/// value. Fields that the change does not name stay as they are. Value type.
using SpecChange = std::map<std::string_view, FieldValue>;

/// Adds one value. invalid_argument when the field does not exist, when it counts only at creation,
/// or when the value is of another kind.
[[nodiscard]] Status add(SpecChange& change, std::string_view key, FieldValue value);

/// The spec after the change, judged as a whole. invalid_argument also for an empty change. Pre:
/// the change was made with add(). Pure.
[[nodiscard]] Result<ContainerSpec> apply(ContainerSpec spec, const SpecChange& change);

/// The limits that a change sets. The host must be able to enforce them. Pure.
[[nodiscard]] Resources limits_asked(const SpecChange& change);

} // namespace lodge::model
