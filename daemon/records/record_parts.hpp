#pragma once

#include "daemon/settings.hpp"
#include "daemon/store/store.hpp"
#include "storage/key_provider.hpp"
#include "templates/template_store.hpp"

#include <functional>
#include <string>

namespace lodge::daemon {

/// What records are made from and where they are put. Borrowed.
struct RecordParts {
    const Settings& settings;
    ContainerRepository& containers;
    TemplateRepository& templates;
    storage::KeyProvider& keys;
    templates::TemplateStore& store;
    std::function<void(const std::string& line)> warn;
};

} // namespace lodge::daemon
