#include "daemon/notify.hpp"

#include <systemd/sd-daemon.h>

namespace lodge::daemon {

void notify_service_manager(const char* state) {
    (void)sd_notify(0, state); // without a service manager there is nobody to tell
}

} // namespace lodge::daemon
