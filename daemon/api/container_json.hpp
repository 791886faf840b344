#pragma once

#include "daemon/services/containers.hpp"
#include "lib/base/error.hpp"
#include "lib/model/spec_fields.hpp"

#include <nlohmann/json_fwd.hpp>

#include <set>
#include <string_view>
#include <vector>

namespace lodge::daemon {

/// One value of a container in the API, beside those of its spec.
struct ViewField {
    const char* key;
    nlohmann::json (*value_of)(const ContainerView& view);
    bool of_use = false; ///< of what the container uses, its time included
};

/// Stands for all keys but those of what a container uses: what is left stays until something
/// happens to it.
inline constexpr std::string_view kAllKeys = "all";

/// The keys in `text`, which are parted by commas and point into it; kAllKeys may be among them.
/// invalid_argument names one that no container has.
[[nodiscard]] Result<std::set<std::string_view>> read_fields(std::string_view text);

/// Makes the JSON of containers. It looks its keys up once, for thousands of containers. Immutable.
class ContainerJson {
  public:
    /// Only these; kAllKeys when there are none. Pre: of read_fields().
    explicit ContainerJson(const std::set<std::string_view>& keys);
    /// All that can be shown.
    static ContainerJson whole();
    /// Whether something of what a container uses is shown.
    [[nodiscard]] bool shows_use() const;
    [[nodiscard]] nlohmann::json of(const ContainerView& view) const;

  private:
    std::vector<const ViewField*> of_view_;
    std::vector<const model::SpecField*> of_spec_;
};

} // namespace lodge::daemon
