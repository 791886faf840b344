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

/// The result of a verb for one container.
struct Outcome {
    nlohmann::json answer;  ///< the value that --json prints
    std::string told;       ///< a line for people
    bool told_alone = true; ///< print `told` also for one container alone
};
/// A verb for one container. Thread-safe.
using ActOnOne = std::function<Result<Outcome>(const Globals& globals, const std::string& name)>;

/// The containers that the command line selects for a verb: names, --all, --filter. Value type.
class Chosen {
  public:
    /// Declares the operands and options. Pre: this outlives the command.
    void add_to(CLI::App& command);

    /// `verb`: --all and --filter leave out the containers whose state does not allow it; without a
    /// verb they leave out none. `whole_host`: if not empty, --all without --filter is refused with
    /// this text.
    struct Rules {
        std::optional<model::Verb> verb = std::nullopt;
        std::string whole_host = {};
    };

    /// Acts on each container, on up to sixteen at a time, and reports each when it ends. A name
    /// that is given twice counts once. The answer for one name is that of a verb for one
    /// container, for several names a list. The exit code: 0 when all succeeded, kSome when some
    /// succeeded, else that of the first name's error.
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
