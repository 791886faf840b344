#pragma once

#include "lib/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lodge::cli {

/// The help of the option --filter, the same for all commands.
inline constexpr const char* kFilterHelp =
    "KEY=VALUE: only those of which it holds, such as state=running, label=tier=gold, name=web*; "
    "may be repeated";

/// Conditions "KEY=VALUE" on containers; a container must fulfil all of them. Value type.
class Filter {
  public:
    /// invalid_argument for a text that is no condition, for an unknown key (the error lists the
    /// known ones) and for a value that the key never has.
    static Result<Filter> parse(const std::vector<std::string>& conditions);

    [[nodiscard]] bool empty() const { return conditions_.empty(); }
    /// Whether a container of the API fulfils all conditions. Pre: it has fields().
    [[nodiscard]] bool admits(const nlohmann::json& container) const;
    /// The fields of the API that admits() reads.
    [[nodiscard]] std::set<std::string_view> fields() const;

    /// The known keys.
    static std::vector<std::string_view> keys();

    struct Key;

  private:
    struct Condition {
        const Key* key;
        std::string value;
    };
    std::vector<Condition> conditions_;
};

} // namespace lodge::cli
