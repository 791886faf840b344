#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/services/containers.hpp"

#include <string>
#include <vector>

namespace lodge::daemon {

/// Containers as they are now, and waiting for one. Thread-safe.
class ContainerViews final : public ContainerViewService {
  public:
    ContainerViews(const Parts& parts, OperationEngine& engine) : parts_(parts), engine_(engine) {}

    Result<std::vector<ContainerView>> list(const Caller& caller, bool with_use) override;
    Result<ContainerView> info(const Caller& caller, const std::string& name) override;
    Status wait(const Caller& caller,
                const std::string& name,
                const std::string& what,
                const Deadline& deadline) override;

  private:
    static Result<bool>
    knock(const ContainerView& view, EventSubscription& news, const Deadline& deadline);
    ContainerView view_of(model::Container container, std::string template_ready, bool with_use);
    [[nodiscard]] ContainerUse use_of(const model::Container& container) const;

    const Parts& parts_;
    OperationEngine& engine_;
};

} // namespace lodge::daemon
