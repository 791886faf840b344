#pragma once

#include "cli/app.hpp"
#include "lib/model/verb.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lodge::cli {

/// What came of a verb for one container.
struct Outcome {
    nlohmann::json answer;  ///< what --json prints of it
    std::string told;       ///< a line for people
    bool told_alone = true; ///< also when the verb is for one container alone
};
/// A verb for one container. Thread-safe.
using ActOnOne = std::function<Result<Outcome>(const Globals& globals, const std::string& name)>;

/// The containers that a verb is for, as they were typed: names, --all, --filter. Value type.
class Chosen {
  public:
    /// Declares the operands and options. Pre: this outlives the command.
    void add_to(CLI::App& command);

    /// `verb`: --all and --filter leave out those in whose state it is refused; none: nobody.
    /// `whole_host`: said of --all without a --filter, which is refused then.
    struct Rules {
        std::optional<model::Verb> verb = std::nullopt;
        std::string whole_host = {};
    };

    /// Acts on each, up to sixteen at a time, and tells of each as it ends; a name that stands
    /// there twice counts once. One name alone is answered as a verb for one is, several with a
    /// list. The exit code: 0 when all succeeded, kSome when some did, else that of the first
    /// name's error.
    [[nodiscard]] Result<int>
    each(const Globals& globals, const Rules& rules, const ActOnOne& act) const;

    static constexpr int kSome = 23; ///< docs/exit-codes.md

  private:
    [[nodiscard]] Result<std::vector<std::string>> find(const Globals& globals,
                                                        const Rules& rules) const;

    std::string verb_;
    std::vector<std::string> names_;
    bool all_ = false;
    std::vector<std::string> conditions_;
};

} // namespace lodge::cli
