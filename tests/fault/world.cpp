#include "tests/fault/world.hpp"

#include <fstream>
#include <utility>

#include <unistd.h>

namespace lodge::test {

const char* to_string(Fault fault) {
    switch (fault) {
    case Fault::none:
        return "none";
    case Fault::fails:
        return "fails";
    case Fault::fails_after:
        return "fails after";
    case Fault::crash_before:
        return "crash before";
    case Fault::crash_after:
        break;
    }
    return "crash after";
}

void World::arm(Fault fault, int at) {
    const std::lock_guard guard(lock_);
    fault_ = fault;
    left_ = at;
    fired_.clear();
}

void World::disarm() {
    const std::lock_guard guard(lock_);
    fault_ = Fault::none;
}

std::string World::fired() {
    const std::lock_guard guard(lock_);
    return fired_;
}

void World::before(const std::string& name, std::function<void()> act) {
    const std::lock_guard guard(lock_);
    awaited_ = name;
    act_ = std::move(act);
}

Status World::call(const std::string& name, const Effect& effect) {
    std::unique_lock guard(lock_);
    if (act_ && name == awaited_) {
        const auto act = std::exchange(act_, {});
        guard.unlock();
        act();
        guard.lock();
    }
    const bool hit = fault_ != Fault::none && --left_ == 0;
    if (!hit) {
        return effect(things_);
    }
    fired_ = name;
    if (fault_ == Fault::crash_before) {
        die();
    }
    const Status acted = fault_ == Fault::fails ? Status{} : effect(things_);
    if (fault_ == Fault::crash_after) {
        die();
    }
    RETURN_IF_ERROR(acted);
    return fail(ErrorCode::kernel, "injected into " + name);
}

void World::happen(const std::function<void(Things& things)>& effect) {
    const std::lock_guard guard(lock_);
    effect(things_);
}

Things World::things() {
    const std::lock_guard guard(lock_);
    return things_;
}

// As kill -9: no destructor runs, and the kernel closes all descriptors.
void World::die() {
    std::ofstream file(place_ + "/things");
    for (const std::string& thing : things_) {
        file << thing << "\n";
    }
    file.close();
    ::_exit(kCrashed);
}

void World::load() {
    const std::lock_guard guard(lock_);
    things_.clear();
    std::ifstream file(place_ + "/things");
    for (std::string thing; std::getline(file, thing);) {
        // A clone that waits for its daemon dies with it, and so does its monitor.
        things_.insert(thing);
    }
    for (auto at = things_.begin(); at != things_.end();) {
        if (at->rfind("clone ", 0) == 0) {
            things_.erase("monitor " + at->substr(6));
            things_.erase("mounts " + at->substr(6));
            at = things_.erase(at);
        } else {
            ++at;
        }
    }
}

} // namespace lodge::test
