#pragma once

#include "lib/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lodge::cli {

/// Of the option --filter, which commands have alike.
inline constexpr const char* kFilterHelp =
    "KEY=VALUE: only those of which it holds, such as state=running, label=tier=gold, name=web*; "
    "may be repeated";

/// Which containers are meant: conditions "KEY=VALUE", all of which hold. Value type.
class Filter {
  public:
    /// invalid_argument for what is no condition, for a key that there is not, with those that
    /// there are, and for a value that the key never has.
    static Result<Filter> parse(const std::vector<std::string>& conditions);

    [[nodiscard]] bool empty() const { return conditions_.empty(); }
    /// Whether all hold for a container of the API's. Pre: it has fields().
    [[nodiscard]] bool admits(const nlohmann::json& container) const;
    /// The API's fields that admits() looks at.
    [[nodiscard]] std::set<std::string_view> fields() const;

    /// The keys that there are.
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
