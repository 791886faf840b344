#include "tests/fault/rig.hpp"

#include "daemon/config.hpp"
#include "lib/kernel/fs.hpp"
#include "tests/support/patience.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <regex>

namespace lodge::test {

namespace {

constexpr const char* kBoot = "boot";
// For one verb and a second one during it.
constexpr daemon::OperationEngine::Workers kWorkers{.at_first = 2, .most = 2};

daemon::Settings settings_at(const std::string& place) {
    daemon::Settings settings = daemon::default_settings().value();
    settings.state_directory = place;
    settings.run_directory = place + "/run";
    settings.definitions_directories = {LODGE_SOURCE_DIR "/templates/definitions"};
    settings.nameservers = {"192.0.2.1"};
    std::filesystem::create_directories(settings.containers_directory());
    return settings;
}

std::string without_uuids(const std::string& text) {
    static const std::regex uuid("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|ve-[0-9a-f]{12}");
    return std::regex_replace(text, uuid, "U");
}

storage::Drivers all_volumes(World& world) {
    storage::Drivers drivers;
    for (const storage::EncryptionKind& kind : storage::encryptions()) {
        drivers[kind.encryption] = fake_volumes(world);
    }
    return drivers;
}

} // namespace

Rig::Rig(World& world)
    : world_(world), settings_(settings_at(world.place())),
      real_(daemon::open_store(settings_.database_path()).value()),
      database_(faulty(world_, *real_)), volumes_(all_volumes(world_)),
      parts_{.settings = settings_,
             .containers = container_rows_,
             .templates = template_rows_,
             .volumes = volumes_,
             .block_devices =
                 [&world](const std::string& directory) { return fake_devices(world, directory); },
             .keys = *keys_,
             .host_key = [&world] { return fake_host_key(world); },
             .links = *links_,
             .firewall = *firewall_,
             .groups = *groups_,
             .store = *store_,
             .runtime = *runtime_,
             .monitors = monitors_,
             .events = events_,
             .warn = [](const std::string&) {},
             .boot_id = kBoot,
             .break_fuse = [this](std::uint32_t, std::uint32_t) -> Result<unsigned> {
                 RETURN_IF_ERROR(world_.call("break_fuse", [](Things& things) -> Status {
                     std::erase_if(things, [](const std::string& thing) {
                         return thing.rfind("waits for FUSE in ", 0) == 0;
                     });
                     return {};
                 }));
                 return 1U;
             }},
      engine_({.log = log_, .events = events_, .boot_id = kBoot, .warn = parts_.warn}, kWorkers) {
    if (const auto report = daemon::recover(parts_, engine_, log_)) {
        recovered_ = *report;
    } else if (world_.fired().empty()) {
        ADD_FAILURE() << "recovery: " << report.error().to_string();
    }
    watch();
}

void Rig::watch() {
    for (const auto& [uuid, monitor] : monitors_.all()) {
        const auto status = monitor->status();
        if (status ? status->exit.has_value() : daemon::is_unwatched(status.error())) {
            containers_.exited(uuid, *monitor, status ? status->exit : std::nullopt);
        }
    }
    const Deadline deadline = Deadline::after(patience(std::chrono::seconds(30)));
    const auto operations = engine_.list();
    for (const daemon::OperationView& view : operations) {
        EXPECT_TRUE(engine_.wait(view.id, deadline));
    }
    for (const daemon::OperationView& view : operations) {
        EXPECT_TRUE(engine_.hold("look", view.resource)); // once it has cleaned up
    }
}

Status Rig::outcome(const Result<Uuid>& operation) {
    RETURN_IF_ERROR(operation);
    ASSIGN_OR_RETURN(const auto view,
                     engine_.wait(*operation, Deadline::after(patience(std::chrono::seconds(30)))));
    if (view.status == daemon::OperationStatus::running) {
        return fail(ErrorCode::timeout, "the operation is stuck in " + view.step);
    }
    return view.error ? Status(std::unexpected<Error>(*view.error)) : Status{};
}

void leave_in_log(const World& world, const daemon::LoggedOperation& left) {
    const auto database = daemon::open_store(world.place() + "/lodge.db").value();
    daemon::OperationLog log(*database);
    ASSERT_TRUE(log.begin(left));
    for (const daemon::StepId& step : left.intended) {
        ASSERT_TRUE(log.intend(left.id, step));
    }
}

// The resource is free when another operation can take it.
bool Rig::settle(const std::string& resource) {
    const auto nothing = engine_.submit({.verb = "settle",
                                         .resource = resource,
                                         .arguments = resource,
                                         .prepare = [this]() -> Result<daemon::Plan> {
                                             world_.disarm();
                                             return fail(ErrorCode::cancelled, "only asked");
                                         }});
    return nothing.error().code() == ErrorCode::cancelled;
}

std::vector<std::string> Rig::ledger() {
    std::vector<std::string> all;
    for (const std::string& thing : world_.things()) {
        all.push_back(without_uuids(thing));
    }
    for (const auto& entry :
         std::filesystem::directory_iterator(settings_.containers_directory())) {
        all.emplace_back("directory");
        for (const auto& file : std::filesystem::directory_iterator(entry.path())) {
            all.push_back("file " + file.path().filename().string());
        }
        if (is_held(entry.path())) {
            all.emplace_back("volume held open");
        }
    }
    const auto rows = container_rows_.list_all().value();
    for (const model::Container& row : rows) {
        const bool visible = container_rows_.find(row.spec.name).has_value();
        all.push_back("row " + row.spec.name + " " + std::string(model::to_string(row.state)) +
                      (row.init_pid ? " with init" : "") + (row.resume ? " to resume" : "") +
                      (row.start_at ? " to start" : "") +
                      (row.spec.resources.memory_bytes
                           ? " of " + std::to_string(*row.spec.resources.memory_bytes)
                           : "") +
                      (visible ? "" : " unpublished"));
    }
    const auto names = template_rows_.list().value();
    for (const templates::Template& row : names) {
        all.push_back("template " + row.name + " " + row.digest);
    }
    for (std::size_t known = monitors_.all().size(); known > 0; --known) {
        all.emplace_back("monitor in the registry");
    }
    std::sort(all.begin(), all.end());
    return all;
}

std::string Rig::last_exit(const std::string& name) {
    const auto row = container_rows_.find(name);
    return row ? row->last_exit : "";
}

} // namespace lodge::test
