#include "cli/spec_options.hpp"

#include "cli/hints.hpp"
#include "cli/words.hpp"
#include "lib/model/judge.hpp"

#include <utility>

namespace lodge::cli {

namespace {

using model::Counts;
using model::FieldValue;
using model::SpecField;

std::string help_of(const SpecField& field, SpecOptions::For verb) {
    std::string help = field.help;
    if (verb == SpecOptions::For::create) {
        help += field.initially != nullptr ? std::string(" (") + field.initially + ")" : "";
        return help;
    }
    help += field.removable ? ", or none" : "";
    return help + (field.counts == Counts::at_next_start ? ", from the next start on" : "");
}

} // namespace

void SpecOptions::add_to(CLI::App& command, For verb) {
    verb_ = verb;
    for (const SpecField& field : model::spec_fields()) {
        if (field.option == nullptr || (verb == For::set && field.counts == Counts::at_creation)) {
            continue;
        }
        Typed& typed = typed_.emplace_back(Typed{.field = &field, .words = {}, .several = {}});
        CLI::Option* const option =
            field.several ? add_list(command, field.option, typed.several, help_of(field, verb))
                          : command.add_option(field.option, typed.words, help_of(field, verb));
        if (const auto nothing = field.parse(""); nothing && model::judge(field, *nothing)) {
            maybe_empty(option);
        }
        typed.option = option;
    }
}

Status SpecOptions::each_given(const Take& take) const {
    const std::string verb = verb_ == For::create ? "create " : "set ";
    for (const Typed& typed : typed_) {
        if (typed.option->count() == 0) {
            continue;
        }
        const std::vector<std::string> given =
            typed.field->several ? typed.several : std::vector{typed.words};
        for (const std::string& words : given) {
            const std::string name = verb + typed.option->get_name();
            ASSIGN_OR_RETURN(FieldValue value, of_option(typed.field->parse(words), name));
            RETURN_IF_ERROR(of_option(model::judge(*typed.field, value), name));
            RETURN_IF_ERROR(of_option(take(*typed.field, std::move(value)), name));
        }
    }
    return {};
}

} // namespace lodge::cli
