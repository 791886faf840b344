#pragma once

#include "lib/model/spec_fields.hpp"

namespace lodge::model {

/// Judges one value as validate() judges a whole spec. The caller knows the option or key of the
/// value, so it can name that in the error.
[[nodiscard]] Status judge(const SpecField& field, const FieldValue& value);

} // namespace lodge::model
