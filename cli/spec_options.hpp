#pragma once

#include "cli/app.hpp"
#include "lib/model/spec_fields.hpp"

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace lodge::cli {

/// The options of the fields of a specification, for `create` and for `set`.
class SpecOptions {
  public:
    enum class For { create, set };

    SpecOptions() = default;
    SpecOptions(const SpecOptions&) = delete; // the command refers to it
    SpecOptions& operator=(const SpecOptions&) = delete;

    /// Declares them. Pre: this outlives the command.
    void add_to(CLI::App& command, For verb);

    using Take = std::function<Status(const model::SpecField& field, model::FieldValue value)>;
    /// Calls `take` for each value on the command line, one after the other. An error names the
    /// verb and the option.
    [[nodiscard]] Status each_given(const Take& take) const;

  private:
    struct Typed {
        const model::SpecField* field;
        std::string words;
        std::vector<std::string> several;
        const CLI::Option* option = nullptr;
    };
    For verb_ = For::create;
    std::deque<Typed> typed_;
};

} // namespace lodge::cli
