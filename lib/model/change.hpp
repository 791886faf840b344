#pragma once

#include "lib/base/error.hpp"
#include "lib/model/spec_fields.hpp"

#include <map>
#include <string_view>

namespace lodge::model {

/// Values that are to take the place of a spec's, by the keys of their fields; none takes one away.
/// What is not named stays. Value type.
using SpecChange = std::map<std::string_view, FieldValue>;

/// Adds one. invalid_argument when there is no such field, it counts at creation alone, or the
/// value is of another kind.
[[nodiscard]] Status add(SpecChange& change, std::string_view key, FieldValue value);

/// The spec as the change makes it, judged as a whole. invalid_argument also for a change of
/// nothing. Pre: made with add(). Pure.
[[nodiscard]] Result<ContainerSpec> apply(ContainerSpec spec, const SpecChange& change);

/// The limits that a change asks for: what a host must be able to enforce for it. Pure.
[[nodiscard]] Resources limits_asked(const SpecChange& change);

} // namespace lodge::model
