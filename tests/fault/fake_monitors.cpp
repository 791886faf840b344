#include "tests/fault/fakes.hpp"
#include "tests/fault/things.hpp"

#include <csignal>
#include <utility>

#include <sys/eventfd.h>

namespace lodge::test {

namespace {

daemon::InitExit exit_of(const std::string& how) {
    using Kind = daemon::InitExit::Kind;
    if (how == "halt") { // the signals are the kernel's: man 2 reboot
        return {.kind = Kind::halted, .status = SIGINT};
    }
    if (how == "reboot") {
        return {.kind = Kind::rebooted, .status = SIGHUP};
    }
    return {.kind = Kind::signalled, .status = SIGKILL};
}

class LivingMonitor final : public daemon::Monitor {
  public:
    LivingMonitor(World& world, std::string uuid) : world_(world), uuid_(std::move(uuid)) {}

    Result<daemon::MonitorStatus> status() override {
        daemon::MonitorStatus status{.init = {.pid = 100, .start_time = 1}};
        RETURN_IF_ERROR(call("monitor.status", [&](Things& things) {
            for (const std::string& how : with_prefix(things, "exit " + uuid_ + " ")) {
                status.exit = exit_of(how);
            }
            return Status{};
        }));
        return status;
    }
    Result<daemon::Halting> ask_to_halt(const daemon::HaltRequest& request) override {
        return daemon::halting_of(signal_init(request.signal == "SIGPWR" ? SIGPWR : SIGTERM),
                                  false);
    }
    Status signal_init(int number) override {
        return call("monitor.signal", [&](Things& things) {
            if (number == SIGPWR && things.contains("frozen ct-" + uuid_)) {
                return refuse(things, "asked to halt while it is frozen");
            }
            if (number == SIGPWR || number == SIGKILL) {
                end_processes(things, uuid_, number == SIGPWR ? "halt" : "signal 9");
            } else {
                things.insert("signal " + std::to_string(number) + " to " + uuid_);
            }
            return Status{};
        });
    }
    Status release() override {
        return call("monitor.release", [&](Things& things) {
            things.erase("monitor " + uuid_);
            std::erase_if(things, [&](const std::string& thing) {
                return thing.rfind("exit " + uuid_, 0) == 0;
            });
            return Status{};
        });
    }
    Status exec(const daemon::ExecRequest&, const daemon::TakeClient&) override { return {}; }
    Status console(const daemon::TakeClient&) override { return {}; }
    Result<std::string> console_log() override { return std::string(); }
    int event_fd() const override { return news_.get(); }

  private:
    Status call(const std::string& name, const World::Effect& effect) {
        return world_.call(name, [&](Things& things) -> Status {
            return things.contains("monitor " + uuid_)
                       ? effect(things)
                       : fail(ErrorCode::not_found, "fake: the monitor is gone");
        });
    }
    World& world_;
    std::string uuid_;
    UniqueFd news_{::eventfd(1, EFD_CLOEXEC)}; // readable: there is always news
};

void kill_monitor(Things& things, const std::string& uuid) {
    things.erase("monitor " + uuid);
    if (things.erase("clone " + uuid) > 0) { // init, once it runs, dies with its group only
        things.erase("mounts " + uuid);
    }
    std::erase_if(things, [&](const auto& thing) { return thing.rfind("exit " + uuid, 0) == 0; });
    things.erase("monitor directory " + uuid);
}

class Clone final : public daemon::StartingContainer {
  public:
    Clone(World& world, std::string uuid) : world_(world), uuid_(std::move(uuid)) {}
    ~Clone() override {
        if (!finished_) {
            world_.happen([&](Things& things) { kill_monitor(things, uuid_); });
        }
    }
    Clone(const Clone&) = delete;
    Clone& operator=(const Clone&) = delete;

    Status build(const daemon::Layers& layers) override {
        return world_.call("clone.build", [&](Things& things) {
            if (layers.volume_fd < 0 || layers.lower_fd < 0) {
                return refuse(things, "built without its layers");
            }
            things.insert("mounts " + uuid_);
            return Status{};
        });
    }
    network::CardEnd card_end() const override { return network::InNamespace{}; }
    daemon::InitProcess init() const override { return {.pid = 100, .start_time = 1}; }
    Result<std::unique_ptr<daemon::Monitor>> finish() override {
        RETURN_IF_ERROR(world_.call("clone.finish", [&](Things& things) {
            things.erase("clone " + uuid_);
            things.insert("init " + uuid_);
            return Status{};
        }));
        finished_ = true;
        return std::make_unique<LivingMonitor>(world_, uuid_);
    }

  private:
    World& world_;
    std::string uuid_;
    bool finished_ = false;
};

class FakeRuntime final : public daemon::Runtime {
  public:
    explicit FakeRuntime(World& world) : world_(world) {}
    Result<std::unique_ptr<daemon::StartingContainer>>
    begin(const daemon::StartRequest& request) override {
        const std::string uuid = request.uuid.to_string();
        RETURN_IF_ERROR(world_.call("runtime.begin", [&](Things& things) {
            if (things.contains("monitor " + uuid) || !things.contains("group ct-" + uuid)) {
                return refuse(things, "begun with a living monitor or without a group");
            }
            things.insert({"clone " + uuid, "monitor " + uuid, "monitor directory " + uuid});
            return Status{};
        }));
        return std::make_unique<Clone>(world_, uuid);
    }
    Result<std::unique_ptr<daemon::Monitor>> connect(const Uuid& container) override {
        const std::string uuid = container.to_string();
        RETURN_IF_ERROR(world_.call("runtime.connect", [&](Things& things) -> Status {
            return things.contains("monitor " + uuid)
                       ? Status{}
                       : fail(ErrorCode::not_found, "fake: no monitor");
        }));
        return std::make_unique<LivingMonitor>(world_, uuid);
    }
    Result<std::vector<Uuid>> list() override {
        std::vector<Uuid> uuids;
        RETURN_IF_ERROR(world_.call("runtime.list", [&](Things& things) {
            for (const std::string& text : with_prefix(things, "monitor directory ")) {
                uuids.push_back(Uuid::parse(text).value());
            }
            return Status{};
        }));
        return uuids;
    }
    Status discard(const Uuid& container) override {
        return world_.call("runtime.discard", [&](Things& things) {
            kill_monitor(things, container.to_string());
            return Status{};
        });
    }

  private:
    World& world_;
};

} // namespace

std::unique_ptr<daemon::Runtime> fake_runtime(World& world) {
    return std::make_unique<FakeRuntime>(world);
}

} // namespace lodge::test
