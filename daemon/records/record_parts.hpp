#pragma once

#include "daemon/settings.hpp"
#include "daemon/store/store.hpp"
#include "lib/secret/secret_buffer.hpp"
#include "templates/template_store.hpp"

#include <functional>
#include <string>

namespace lodge::daemon {

/// The sources of records and their places. Borrowed.
struct RecordParts {
    const Settings& settings;
    ContainerRepository& containers;
    TemplateRepository& templates;
    std::function<Result<secret::SecretBuffer>()> host_key; ///< read_host_key()
    templates::TemplateStore& store;
    std::function<void(const std::string& line)> warn;
};

} // namespace lodge::daemon
