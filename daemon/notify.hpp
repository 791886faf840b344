#pragma once

namespace lodge::daemon {

/// sd_notify(3): tells the service manager, if there is one (NOTIFY_SOCKET), e.g. "READY=1".
void notify_service_manager(const char* state);

} // namespace lodge::daemon
