#include "lib/model/judge.hpp"

namespace lodge::model {

Status judge(const SpecField& field, const FieldValue& value) {
    ContainerSpec otherwise_valid;
    otherwise_valid.name = "any";
    otherwise_valid.template_name = "any";
    RETURN_IF_ERROR(put(otherwise_valid, field, value));
    return validate(otherwise_valid);
}

} // namespace lodge::model
