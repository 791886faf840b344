#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/services.hpp"

#include <mutex>

namespace lodge::daemon {

/// The verbs of templates. Thread-safe.
class Templates final : public TemplateService {
  public:
    Templates(const Parts& parts, OperationEngine& engine) : parts_(parts), engine_(engine) {}

    Result<Uuid>
    build(const Caller& caller, const std::string& definition, const std::string& name) override;
    Result<Uuid> import(const Caller& caller, const std::string& name, UniqueFd archive) override;
    Result<Uuid> remove(const Caller& caller, const std::string& name) override;
    Result<std::vector<templates::Template>> list() override { return parts_.templates.list(); }
    Result<templates::Template> info(const std::string& name) override {
        return parts_.templates.find(name);
    }
    Result<std::vector<templates::Definition>> definitions() override;

  private:
    using MakeTemplate = std::function<Result<templates::Template>(const templates::Work& work)>;
    Result<Uuid>
    make(const std::string& verb, const std::string& name, const MakeTemplate& make_template);
    Result<Plan> removal(const templates::Template& found);
    Status publish(const templates::Template& made);
    Status drop_image(const std::string& digest);

    const Parts& parts_;
    OperationEngine& engine_;
    std::mutex claiming_; ///< an image is not removed between a look at it and its new name
};

/// Removes the images that neither a name nor a container stands for; none while there are
/// containers on the disk that the database does not know. Pre: no operation runs.
[[nodiscard]] Status sweep_images(const Parts& parts);
/// What undoes an unfinished build or import. Images are left to sweep_images().
[[nodiscard]] Plan template_recovery_plan(const Parts& parts, const LoggedOperation& left);

} // namespace lodge::daemon
