#pragma once

#include "lib/model/spec_fields.hpp"

namespace lodge::model {

/// Judges one value as validate() judges a whole spec: the option or key that has it is known to be
/// the one at fault.
[[nodiscard]] Status judge(const SpecField& field, const FieldValue& value);

} // namespace lodge::model
