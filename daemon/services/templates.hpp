#pragma once

#include "daemon/services/caller.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"
#include "lib/base/uuid.hpp"
#include "templates/template_store.hpp"

#include <future>
#include <string>
#include <vector>

namespace lodge::daemon {

/// A tree as a stream of bytes.
struct Archive {
    UniqueFd bytes;
    std::shared_future<Status> copied = {}; ///< set before `bytes` ends: whether it is whole
};

class TemplateService {
  public:
    TemplateService() = default;
    TemplateService(const TemplateService&) = delete;
    TemplateService& operator=(const TemplateService&) = delete;
    virtual ~TemplateService() = default;
    /// `definition`: a name in the definitions directory. `name`: of the template; empty: the same.
    [[nodiscard]] virtual Result<Uuid>
    build(const Caller& caller, const std::string& definition, const std::string& name) = 0;
    /// Reads the archive and blocks until it is consumed. The returned operation has ended.
    [[nodiscard]] virtual Result<Uuid>
    import(const Caller& caller, const std::string& name, Archive archive) = 0;
    [[nodiscard]] virtual Result<Uuid> remove(const Caller& caller, const std::string& name) = 0;
    [[nodiscard]] virtual Result<std::vector<templates::Template>> list(const Caller& caller) = 0;
    [[nodiscard]] virtual Result<templates::Template> info(const Caller& caller,
                                                           const std::string& name) = 0;
    [[nodiscard]] virtual Result<std::vector<templates::Definition>>
    definitions(const Caller& caller) = 0;
};

} // namespace lodge::daemon
