#pragma once

#include "daemon/services/containers.hpp"
#include "lib/base/error.hpp"
#include "lib/model/spec_fields.hpp"

#include <nlohmann/json_fwd.hpp>

#include <set>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// A value of a container in the API that is not one of its spec.
struct ViewField {
    const char* key;
    nlohmann::json (*value_of)(const ContainerView& view);
    bool of_use = false; ///< part of the container's use, with its time
};

/// Stands for all keys but those of a container's use. The values of all other keys change only by
/// events.
inline constexpr std::string_view kAllKeys = "all";

/// The keys in `text`, separated by commas. The result points into `text` and may have kAllKeys.
/// invalid_argument names an unknown key.
[[nodiscard]] Result<std::set<std::string_view>> read_fields(std::string_view text);

/// Makes the JSON of containers. It looks up its keys only once for thousands of containers.
/// Immutable.
class ContainerJson {
  public:
    /// Shows only these keys; for an empty set those of kAllKeys. Pre: the keys come from
    /// read_fields().
    explicit ContainerJson(const std::set<std::string_view>& keys);
    /// Shows all keys.
    static ContainerJson whole();
    /// Whether it shows a value of a container's use.
    [[nodiscard]] bool shows_use() const;
    [[nodiscard]] nlohmann::json of(const ContainerView& view) const;

  private:
    std::vector<const ViewField*> of_view_;
    std::vector<const model::SpecField*> of_spec_;
};

} // namespace lodge::daemon
