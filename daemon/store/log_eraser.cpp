#include "daemon/store/log_eraser.hpp"

#include <exception>
#include <utility>

namespace lodge::daemon {

namespace {

constexpr auto kGather = std::chrono::seconds(1);
constexpr auto kAgain = std::chrono::seconds(10); // while readers hold the log

Status empty(db::Database& database) {
    try {
        return database.empty_log();
    } catch (const std::exception& error) { // out of memory
        return fail(ErrorCode::internal, error.what());
    }
}

} // namespace

LogEraser::LogEraser(db::Database& database, Warn warn)
    : database_(database), warn_(std::move(warn)), thread_([this] { run(); }) {}

LogEraser::~LogEraser() {
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void LogEraser::ask() {
    {
        const std::lock_guard guard(lock_);
        asked_ = true;
    }
    changed_.notify_all();
}

void LogEraser::run() {
    std::unique_lock guard(lock_);
    bool told = false;
    while (true) {
        changed_.wait(guard, [this] { return asked_ || stopping_; });
        if (stopping_) {
            return; // the last close of the database empties its log
        }
        asked_ = false;
        guard.unlock();
        const Status emptied = empty(database_);
        if (!emptied && !told) {
            warn_("empty the database's log: " + emptied.error().to_string() +
                  "; trying again every ten seconds");
        }
        told = !emptied;
        guard.lock();
        asked_ = asked_ || !emptied;
        // Collects the destroys of a second, and does not load a failing disk with retries.
        (void)changed_.wait_for(guard, emptied ? kGather : kAgain, [this] { return stopping_; });
    }
}

} // namespace lodge::daemon
