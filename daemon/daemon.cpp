#include "daemon/daemon.hpp"

#include "daemon/autostart/autostart.hpp"
#include "daemon/containers/container_service.hpp"
#include "daemon/containers/container_views.hpp"
#include "daemon/containers/encryption_choice.hpp"
#include "daemon/containers/sessions.hpp"
#include "daemon/event_log.hpp"
#include "daemon/images/template_service.hpp"
#include "daemon/records/files.hpp"
#include "daemon/records/host_key.hpp"
#include "daemon/recovery/earlier_boots.hpp"
#include "daemon/recovery/recovery.hpp"
#include "daemon/rescue/open_state.hpp"
#include "daemon/runtime/watcher.hpp"
#include "daemon/seccomp/profile.hpp"
#include "daemon/store/backups.hpp"
#include "daemon/store/log_eraser.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/process.hpp"

#include <utility>

#include <sys/stat.h>
#include <sys/utsname.h>

namespace lodge::daemon {

namespace {

// All containers of a host may be asked to halt at the same time, and each takes a while.
constexpr OperationEngine::Workers kWorkers{.at_first = 16, .most = 256};

Status make_places(const Settings& settings) {
    for (const std::string& directory : {settings.state_directory,
                                         settings.containers_directory(),
                                         settings.templates_directory(),
                                         settings.run_directory,
                                         settings.template_mounts()}) {
        RETURN_IF_ERROR(with_context(kernel::make_directories(directory, 0700),
                                     "make the directory " + directory));
    }
    // The group has to reach the socket through it. Everything else in it has its own mode.
    if (!settings.socket_group.empty() && ::chmod(settings.run_directory.c_str(), 0711) != 0) {
        return fail_errno("chmod", settings.run_directory);
    }
    return {};
}

// The objects that must exist before the services, made in this order.
struct Drivers {
    std::string boot_id;
    UniqueFd network_claim;
    std::unique_ptr<db::Database> database;
    std::unique_ptr<cgroup::GroupManager> groups;
    std::unique_ptr<network::LinkDriver> links = network::make_link_driver();
    std::unique_ptr<network::FirewallDriver> firewall = network::make_firewall_driver();
    std::unique_ptr<Runtime> runtime;
};

Result<Drivers> make_drivers(const Settings& settings) {
    Drivers drivers;
    RETURN_IF_ERROR(make_places(settings));
    ASSIGN_OR_RETURN(drivers.boot_id, kernel::boot_id());
    ASSIGN_OR_RETURN(drivers.database, open_state(settings));
    ASSIGN_OR_RETURN(drivers.groups, cgroup::make_group_manager(settings.cgroup_base));
    ASSIGN_OR_RETURN(auto filter, compile_seccomp_profile());
    ASSIGN_OR_RETURN(drivers.runtime,
                     make_namespace_runtime({.program = settings.monitor_program,
                                             .run_directory = settings.run_directory,
                                             .seccomp_program = std::move(filter)}));
    ASSIGN_OR_RETURN(drivers.network_claim, network::claim_network());
    const network::BridgeSpec bridge = settings.bridge_spec();
    RETURN_IF_ERROR(with_context(drivers.links->ensure_bridge(bridge), "set up the bridge"));
    RETURN_IF_ERROR(with_context(drivers.firewall->ensure_tables(bridge), "set up the firewall"));
    RETURN_IF_ERROR(
        with_context(drivers.links->ensure_forwarding(bridge.name), "turn on forwarding"));
    RETURN_IF_ERROR(network::settle_shared_switches());
    return drivers;
}

std::function<void(const std::string&)> warning_to(const Log& log) {
    return [log](const std::string& line) { log.write(LogLevel::warning, line); };
}

class RealDaemon final : public Daemon {
  public:
    RealDaemon(Settings settings, Drivers drivers, const Log& log)
        : settings_(std::move(settings)), drivers_(std::move(drivers)),
          log_eraser_(*drivers_.database, warning_to(log)), container_rows_(*drivers_.database),
          template_rows_(*drivers_.database), log_(*drivers_.database),
          volumes_(storage::make_drivers()),
          keys_(storage::make_file_key_provider(settings_.master_key_path())),
          store_(templates::make_template_store(
              {.directory = settings_.templates_directory(),
               .run_directory = settings_.template_mounts(),
               .unpack_program = settings_.unpack_program,
               .most_unpacked_bytes = settings_.most_unpacked_bytes})),
          events_([log](const Event& event) { log_event(log, event); }),
          parts_{.settings = settings_,
                 .containers = container_rows_,
                 .templates = template_rows_,
                 .volumes = volumes_,
                 .block_devices = storage::list_devices,
                 .keys = *keys_,
                 .host_key = [this] { return read_host_key(settings_); },
                 .links = *drivers_.links,
                 .firewall = *drivers_.firewall,
                 .groups = *drivers_.groups,
                 .store = *store_,
                 .runtime = *drivers_.runtime,
                 .monitors = monitors_,
                 .events = events_,
                 .warn = warning_to(log),
                 .boot_id = drivers_.boot_id},
          engine_({.log = log_,
                   .events = events_,
                   .boot_id = drivers_.boot_id,
                   .warn = warning_to(log)},
                  kWorkers),
          containers_(parts_, engine_), views_(parts_, engine_), sessions_(parts_),
          templates_(parts_, engine_), check_(parts_, engine_, log_, templates_) {
        container_rows_.on_remove([this] { log_eraser_.ask(); });
    }

    // Operations in the engine use members that are declared after it, so it has to end first.
    ~RealDaemon() override { (void)RealDaemon::shut_down(Deadline::never(), Deadline::never()); }
    RealDaemon(const RealDaemon&) = delete;
    RealDaemon& operator=(const RealDaemon&) = delete;

    Status take_up() {
        prepare_keys();
        RETURN_IF_ERROR(end_verbs_of_earlier_boots(parts_, log_));
        RETURN_IF_ERROR(with_context(enter_boot(parts_), "find what this boot is to start"));
        RETURN_IF_ERROR(recover(parts_, engine_, log_));
        daily_backup_ = std::make_unique<DailyBackup>(
            *drivers_.database,
            Backups(settings_.backups_directory(), settings_.database_copies),
            parts_.warn);
        watcher_ = std::make_unique<Watcher>(monitors_,
                                             [this](const Uuid& container,
                                                    const Monitor& monitor,
                                                    const std::optional<InitExit>& exit) {
                                                 containers_.exited(container, monitor, exit);
                                             });
        autostart_ =
            std::make_unique<Autostart>(parts_, containers_, engine_, settings_.autostart_at_once);
        return {};
    }

    ContainerService& containers() override { return containers_; }
    ContainerViewService& views() override { return views_; }
    SessionService& sessions() override { return sessions_; }
    TemplateService& templates() override { return templates_; }
    OperationService& operations() override { return engine_; }

    HostInfo host_info() override {
        HostInfo info{.cgroup = drivers_.groups->support(), .bridge = settings_.bridge};
        utsname name{};
        if (::uname(&name) == 0) {
            info.kernel = static_cast<const char*>(name.release);
        }
        info.features = kernel::features();
        info.settings = look_at_settings("/proc/sys");
        info.encryption_why =
            settings_.encryption == "auto"
                ? "the first of " + storage::automatic_names() + " that this host can do"
                : "`encryption` in the configuration";
        for (const storage::EncryptionKind& kind : storage::encryptions()) {
            info.encryptions.push_back(volumes_.at(kind.encryption)->info());
        }
        if (const auto chosen = choose_encryption(std::nullopt, settings_, volumes_)) {
            info.encryption = model::to_string(*chosen);
        }
        info.key_provider = keys_->name();
        if (const Status ready = keys_->ready(); !ready) {
            info.keys_why_not = ready.error().to_string();
        }
        for (const model::CidrAddress& pool : settings_.pools) {
            info.pools.push_back(pool.to_string());
        }
        info.resolvers = resolvers_for(settings_, settings_.pools);
        return info;
    }

    Result<Uuid> shut_down_host(std::chrono::milliseconds timeout) override {
        return autostart_->shut_down(timeout);
    }
    Result<std::size_t> start_up_host() override { return autostart_->start_up(); }
    Result<CheckReport> check_host(bool repair) override { return check_.run(repair); }

    bool shut_down(const Deadline& grace, const Deadline& deadline) override {
        events_.close(); // this ends the thread of autostart_
        return engine_.end(grace, deadline);
    }

  private:
    // Does not make a new master key when volumes exist: they would not open with it, and it would
    // hide the loss of theirs. Does make a new host key: the database exists, and
    // complete_records() authenticates the records again.
    void prepare_keys() {
        const auto rows = container_rows_.list_all();
        const auto volumes = volumes_on_disk(settings_);
        const bool bare = rows && rows->empty() && volumes && volumes->empty();
        if (const Status ready = bare ? keys_->prepare() : keys_->ready(); !ready) {
            parts_.warn("keys: " + ready.error().to_string());
        }
        const auto made = make_host_key(settings_);
        if (!made) {
            parts_.warn("records: " + made.error().to_string());
        } else if (*made && !bare) {
            parts_.warn("the host's key '" + settings_.host_key_path() +
                        "' was not there and was made. Keep a copy of it beside that of the "
                        "master key; a record that another such key authenticated does not fit");
        }
    }

    Settings settings_;
    Drivers drivers_;
    LogEraser log_eraser_;
    ContainerRepository container_rows_;
    TemplateRepository template_rows_;
    OperationLog log_;
    storage::Drivers volumes_;
    std::unique_ptr<storage::KeyProvider> keys_;
    std::unique_ptr<templates::TemplateStore> store_;
    MonitorRegistry monitors_;
    EventBus events_;
    Parts parts_;
    OperationEngine engine_;
    Containers containers_;
    ContainerViews views_;
    Sessions sessions_;
    Templates templates_;
    HostCheck check_;
    std::unique_ptr<Watcher> watcher_;
    std::unique_ptr<Autostart> autostart_;
    std::unique_ptr<DailyBackup> daily_backup_;
};

} // namespace

Result<std::unique_ptr<Daemon>> make_daemon(Settings settings, const Log& log) {
    ASSIGN_OR_RETURN(Drivers drivers, make_drivers(settings));
    auto daemon = std::make_unique<RealDaemon>(std::move(settings), std::move(drivers), log);
    RETURN_IF_ERROR(with_context(daemon->take_up(), "take up what an earlier daemon left"));
    return daemon;
}

} // namespace lodge::daemon
