#pragma once

#include <spawn.h>

namespace lodge::kernel {

/// The actions and attributes of posix_spawn(3), freed by the destructor.
struct SpawnPlan {
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
    SpawnPlan() {
        (void)posix_spawn_file_actions_init(&actions); // glibc: never fails
        (void)posix_spawnattr_init(&attributes);       // glibc: never fails
    }
    ~SpawnPlan() {
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)posix_spawnattr_destroy(&attributes);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
};

} // namespace lodge::kernel
