#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/services/templates.hpp"

#include <mutex>

namespace lodge::daemon {

/// The verbs of templates in the log of operations.
inline constexpr const char* kTemplateBuild = "template build";
inline constexpr const char* kTemplateImport = "template import";
inline constexpr const char* kTemplateRemove = "template remove";

/// The verbs of templates. Thread-safe.
class Templates final : public TemplateService {
  public:
    Templates(const Parts& parts, OperationEngine& engine) : parts_(parts), engine_(engine) {}

    Result<Uuid>
    build(const Caller& caller, const std::string& definition, const std::string& name) override;
    Result<Uuid> import(const Caller& caller, const std::string& name, Archive archive) override;
    Result<Uuid> remove(const Caller& caller, const std::string& name) override;
    Result<std::vector<templates::Template>> list(const Caller&) override {
        return parts_.templates.list();
    }
    Result<templates::Template> info(const Caller&, const std::string& name) override {
        return parts_.templates.find(name);
    }
    Result<std::vector<templates::Definition>> definitions(const Caller& caller) override;

    /// remove_unclaimed_image(), beside running operations.
    [[nodiscard]] Status drop_image(const std::string& digest);

  private:
    using MakeTemplate = std::function<Result<templates::Template>(const templates::Work& work)>;
    Result<Uuid>
    make(const std::string& verb, const std::string& name, const MakeTemplate& make_template);
    Result<Plan> removal(const templates::Template& found);
    Status publish(const templates::Template& made);

    const Parts& parts_;
    OperationEngine& engine_;
    std::mutex claiming_; ///< an image is not removed between a look at it and its new name
};

/// Removes an image unless a name or a container uses it. Pre: no operation runs.
[[nodiscard]] Status remove_unclaimed_image(const Parts& parts, const std::string& digest);
/// The plan at recovery of an unfinished operation on a template: undoes a build or an import, does
/// nothing for a removal. Recovery's look handles the images.
[[nodiscard]] Plan template_recovery_plan(const Parts& parts, const LoggedOperation& left);

} // namespace lodge::daemon
