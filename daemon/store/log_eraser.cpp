#include "daemon/store/log_eraser.hpp"

#include <exception>
#include <utility>

namespace lodge::daemon {

namespace {

constexpr auto kGather = std::chrono::seconds(1);
constexpr auto kAgain = std::chrono::seconds(10); // while somebody reads all the time

Status empty(db::Database& database) {
    try {
        return database.empty_log();
    } catch (const std::exception& error) { // want of memory
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
            return; // who closes the database last empties its log
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
        // Gathers the destroys of a second, and spares a failing disk.
        (void)changed_.wait_for(guard, emptied ? kGather : kAgain, [this] { return stopping_; });
    }
}

} // namespace lodge::daemon
