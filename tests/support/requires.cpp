#include "tests/support/requires.hpp"

#include "daemon/host_settings.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/privileges.hpp"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

namespace lodge::test {

namespace {

std::string missing_controller(const std::string& controller) {
    const auto mounts = kernel::read_mountinfo();
    if (!mounts) {
        return mounts.error().to_string();
    }
    for (const kernel::MountInfo& mount : *mounts) {
        if (mount.type != "cgroup2") {
            continue;
        }
        if (controller.empty()) {
            return {};
        }
        const auto text = kernel::read_file(mount.mount_point + "/cgroup.controllers", 4096);
        if (text && (" " + *text).find(" " + controller) != std::string::npos) {
            return {};
        }
        return "the controller " + controller + " is not on cgroup v2 here";
    }
    return "no cgroup2 is mounted here";
}

bool filesystem_known(const std::string& type) {
    const auto text = kernel::read_file("/proc/filesystems", 65536);
    return text && text->find("\t" + type + "\n") != std::string::npos;
}

} // namespace

std::string missing(const std::string& feature) {
    if (feature == "root") {
        return ::geteuid() == 0 ? "" : "root is needed";
    }
    if (feature == "device_mapper") {
        // The node may exist without a driver; an open(2) loads the module.
        return kernel::open_file("/dev/mapper/control", O_RDWR)
                   ? ""
                   : "this kernel has no device-mapper";
    }
    if (feature == "fscrypt") {
        return ::access("/sys/fs/ext4/features/encryption", F_OK) == 0 ? ""
                                                                       : "ext4 has no fscrypt here";
    }
    if (feature == "fuse") {
        return kernel::open_file("/dev/fuse", O_RDWR) ? "" : "this kernel has no FUSE";
    }
    if (feature == "erofs") {
        return filesystem_known("erofs") ? "" : "this kernel has no EROFS";
    }
    if (feature == "cgroup2") {
        return missing_controller("");
    }
    if (feature.rfind("cgroup2:", 0) == 0) {
        return missing_controller(feature.substr(8));
    }
    if (feature == "own_machine") { // tests/vm: a test may change it
        return everything_is_required() ? "" : "this machine is not the tests' own";
    }
    if (feature == "host_settings") {
        for (const daemon::SeenSetting& setting : daemon::look_at_settings("/proc/sys")) {
            if (!setting.suits()) {
                return "etc/sysctl.d/lodge.conf is not in force here: " + setting.what_to_do();
            }
        }
        return {};
    }
    if (feature == "ia32") { // CONFIG_IA32_EMULATION's setting
        return ::access("/proc/sys/abi/vsyscall32", F_OK) == 0
                   ? ""
                   : "this kernel runs no 32-bit programs";
    }
    if (feature == "sys_resource") {
        constexpr kernel::CapabilitySet kNeeded = kernel::capability_set(CAP_SYS_RESOURCE);
        return (kernel::permitted_capabilities().value_or(0) & kNeeded) != 0
                   ? ""
                   : "root has no CAP_SYS_RESOURCE here";
    }
    if (feature == "systemd") { // the check of sd_booted(3)
        return ::access("/run/systemd/system", F_OK) == 0 ? "" : "systemd is not PID 1 here";
    }
    return "no test knows the feature '" + feature + "'";
}

bool everything_is_required() {
    const char* value =
        std::getenv("LODGE_REQUIRE"); // NOLINT(concurrency-mt-unsafe): nobody writes it
    return value != nullptr && std::string(value) == "all";
}

} // namespace lodge::test
