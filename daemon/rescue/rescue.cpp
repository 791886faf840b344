#include "daemon/rescue/rescue.hpp"

#include "daemon/records/host_key.hpp"
#include "daemon/records/places.hpp"
#include "daemon/rescue/find.hpp"
#include "daemon/rescue/open_state.hpp"
#include "daemon/runtime/runtime.hpp"
#include "daemon/seccomp/profile.hpp"
#include "daemon/store/store.hpp"
#include "lib/api/json.hpp"
#include "lib/base/revert.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/mount.hpp"
#include "lib/kernel/process.hpp"
#include "storage/key_provider.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

// Absent on a host that no release with such a key has run on yet.
Result<std::optional<secret::SecretBuffer>> host_key_if_any(const Settings& settings) {
    auto key = read_host_key(settings);
    if (!key && key.error().code() != ErrorCode::not_found) {
        return std::unexpected<Error>(key.error());
    }
    return key ? std::optional(std::move(*key)) : std::nullopt;
}

// Where /proc/PID/stat has it in ticks since the boot (man 5 proc).
std::int64_t time_of_start(std::uint64_t ticks) {
    timespec now{};
    timespec since_boot{};
    const long per_second = ::sysconf(_SC_CLK_TCK);
    if (::clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        ::clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0 || per_second <= 0) {
        return 0;
    }
    return now.tv_sec - since_boot.tv_sec +
           static_cast<std::int64_t>(ticks / static_cast<std::uint64_t>(per_second));
}

Result<std::unique_ptr<Runtime>> monitors_of(const Settings& settings) {
    ASSIGN_OR_RETURN(auto filter, compile_seccomp_profile());
    return make_namespace_runtime({.program = settings.monitor_program,
                                   .run_directory = settings.run_directory,
                                   .seccomp_program = std::move(filter)});
}

// Looks at the group of the container's init. The base is not computed: a rescue runs in another
// group than the daemon and would find another base.
bool is_frozen(const Uuid& uuid, std::int32_t init) {
    const auto own = kernel::read_file("/proc/" + std::to_string(init) + "/cgroup", 65536);
    const auto mounts = kernel::read_mountinfo();
    const std::string group = "/ct-" + uuid.to_string();
    const std::size_t line = own ? own->find("0::") : std::string::npos;
    const std::size_t end = own ? own->find(group, line) : std::string::npos;
    if (!mounts || line == std::string::npos || end == std::string::npos) {
        return false;
    }
    const std::string path = own->substr(line + 3, end + group.size() - line - 3);
    for (const kernel::MountInfo& mount : *mounts) {
        if (mount.type == "cgroup2") {
            const auto freeze = kernel::read_file(mount.mount_point + path + "/cgroup.freeze", 16);
            return freeze && *freeze == "1\n";
        }
    }
    return false;
}

// A failure to find out whether a container runs must not count as no: the daemon would kill a
// running one.
template <typename T>
Result<std::optional<T>> find_out(const std::string& name, Result<T> answer) {
    auto known = if_watched(std::move(answer));
    if (!known) {
        return fail(known.error().code(),
                    "whether '" + name + "' runs cannot be found out, so nothing was recovered: " +
                        known.error().to_string());
    }
    return known;
}

// A container whose init has ended meanwhile is recorded as running too: the daemon then collects
// the exit.
Status
look_for_monitor(Runtime& runtime, const std::string& directory, model::Container& container) {
    const std::string& name = container.spec.name;
    ASSIGN_OR_RETURN(const auto monitor, find_out(name, runtime.connect(container.uuid)));
    if (!monitor) {
        // The container comes up with the next boot if it was up in the last one.
        ASSIGN_OR_RETURN(const Beside beside, look_beside(directory));
        container.resume = beside.up;
        return {};
    }
    ASSIGN_OR_RETURN(const auto status, find_out(name, (*monitor)->status()));
    if (status) {
        container.state = is_frozen(container.uuid, status->init.pid) ? model::State::frozen
                                                                      : model::State::running;
        container.init_pid = status->init.pid;
        container.init_start_time = status->init.start_time;
        container.started_at = time_of_start(status->init.start_time);
    }
    return {};
}

Status
insert(ContainerRepository& containers, const ContainerRecord& record, const std::string& boot_id) {
    RETURN_IF_ERROR(containers.insert(record.container, record.sealed_keys));
    RETURN_IF_ERROR(containers.publish(record.container.uuid));
    return containers.update_state(record.container, boot_id);
}

// Running containers were started in this boot, and stopped ones were stopped in it: the boot must
// start nothing again.
bool is_same_boot(const Found& found) {
    return std::any_of(found.containers.begin(), found.containers.end(), [](const auto& record) {
        return record.container.state != model::State::stopped;
    });
}

Status fill(db::Database& database, const Found& found, const std::string& boot_id) {
    TemplateRepository templates(database);
    for (const templates::Template& made : found.templates) {
        RETURN_IF_ERROR(templates.put(made));
    }
    ContainerRepository containers(database);
    for (const ContainerRecord& record : found.containers) {
        RETURN_IF_ERROR(with_context(insert(containers, record, boot_id),
                                     "record '" + record.container.spec.name + "'"));
    }
    if (is_same_boot(found)) {
        RETURN_IF_ERROR(containers.enter_boot(boot_id, [](const auto&) {
            return std::vector<PlannedStart>{}; // the starts that the boot had planned are lost
        }));
    }
    return {};
}

Status mark_left(const LeftInPlace& left) {
    struct stat info{};
    if (::lstat(left.path.c_str(), &info) != 0) {
        return errno == ENOENT ? Status{} : fail_errno("lstat", left.path); // gone meanwhile
    }
    if (!S_ISDIR(info.st_mode)) {
        return {}; // a template's record
    }
    ASSIGN_OR_RETURN(const auto directory, kernel::open_directory(left.path));
    return kernel::replace_file(directory.get(), kLeftName, left.why + "\n", 0600);
}

// The file of an earlier rescue, before somebody fixed the cause.
Status unmark(const Settings& settings, const Uuid& uuid) {
    const std::string mark = settings.container_directory(uuid.to_string()) + "/" + kLeftName;
    return ::unlink(mark.c_str()) == 0 || errno == ENOENT ? Status{} : fail_errno("unlink", mark);
}

void remove_database(const std::string& path) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
        (void)::unlink((path + suffix).c_str()); // a missing file is no failure
    }
}

// The log of a lost database must not be replayed into the new one. It is kept for examination.
Status set_log_aside(const std::string& database) {
    for (const char* suffix : {"-wal", "-shm", "-journal"}) {
        const std::string old = database + suffix;
        if (::rename(old.c_str(), (old + ".old").c_str()) != 0 && errno != ENOENT) {
            return fail_errno("rename", old);
        }
    }
    return {};
}

Status put_into_place(const std::string& made, const std::string& database) {
    if (::access((made + "-wal").c_str(), F_OK) == 0 || errno != ENOENT) {
        return fail(ErrorCode::internal, "the new database could not be closed");
    }
    const std::string state = database.substr(0, database.rfind('/'));
    {
        ASSIGN_OR_RETURN(const UniqueFd file, kernel::open_file(made, O_RDONLY));
        if (::fsync(file.get()) != 0) {
            return fail_errno("fsync", made);
        }
    }
    if (::rename(made.c_str(), database.c_str()) != 0) {
        return fail_errno("rename", made);
    }
    ASSIGN_OR_RETURN(const auto directory, kernel::open_directory(state));
    return ::fsync(directory.get()) == 0 ? Status{} : fail_errno("fsync", state);
}

// Every container's directory has its mark before a daemon can see the database.
Status mark(const Settings& settings, const Found& found) {
    for (const LeftInPlace& left : found.left) {
        RETURN_IF_ERROR(mark_left(left));
    }
    for (const ContainerRecord& record : found.containers) {
        RETURN_IF_ERROR(unmark(settings, record.container.uuid));
    }
    return {};
}

Status write_database(const Settings& settings, const Found& found) {
    const std::string path = settings.database_path();
    ASSIGN_OR_RETURN(const std::string boot_id, kernel::boot_id());
    const std::string made = path + ".recovering";
    remove_database(made); // of a rescue that was interrupted
    Revert revert;
    revert.add([&made] { remove_database(made); });
    {
        ASSIGN_OR_RETURN(const auto database, open_store(made));
        RETURN_IF_ERROR(fill(*database, found, boot_id));
    }
    RETURN_IF_ERROR(mark(settings, found));
    RETURN_IF_ERROR(set_log_aside(path));
    RETURN_IF_ERROR(put_into_place(made, path));
    revert.commit();
    return {};
}

Result<Found> find_all(const Settings& settings) {
    const auto provider = storage::make_file_key_provider(settings.master_key_path());
    RETURN_IF_ERROR(provider->ready()); // without it no volume opens
    ASSIGN_OR_RETURN(const auto host_key, host_key_if_any(settings));
    auto looked_for =
        find_records(settings, {.host = host_key ? &*host_key : nullptr, .provider = *provider});
    if (!looked_for && !host_key && looked_for.error().code() == ErrorCode::not_found) {
        return fail(ErrorCode::not_found,
                    "the host's key '" + settings.host_key_path() +
                        "' is not there, and without it a record cannot be told from a changed "
                        "one: put the copy of it back first");
    }
    ASSIGN_OR_RETURN(Found found, std::move(looked_for));
    if (found.containers.empty() && found.templates.empty() && found.left.empty()) {
        return fail(ErrorCode::not_found,
                    "there is nothing in '" + settings.state_directory +
                        "' to build a database from; lodged makes an empty one by itself");
    }
    ASSIGN_OR_RETURN(const auto runtime, monitors_of(settings));
    for (ContainerRecord& record : found.containers) {
        RETURN_IF_ERROR(
            look_for_monitor(*runtime,
                             settings.container_directory(record.container.uuid.to_string()),
                             record.container));
    }
    return found;
}

} // namespace

Result<Rescued> rebuild_database(const Settings& settings) {
    if (has_database(settings)) {
        return fail(ErrorCode::already_exists,
                    "there is a database, '" + settings.database_path() +
                        "', and recover builds only a lost one; if this one is damaged, move it "
                        "away first, with its -wal and -shm");
    }
    ASSIGN_OR_RETURN(Found found, find_all(settings));
    RETURN_IF_ERROR(write_database(settings, found));
    Rescued rescued{.templates = std::move(found.templates), .left = std::move(found.left)};
    for (ContainerRecord& record : found.containers) {
        rescued.containers.push_back(std::move(record.container));
    }
    std::sort(rescued.containers.begin(),
              rescued.containers.end(),
              [](const auto& a, const auto& b) { return a.spec.name < b.spec.name; });
    return rescued;
}

std::string to_json(const Rescued& rescued) {
    using nlohmann::json;
    json result{
        {"containers", json::array()}, {"templates", json::array()}, {"left", json::array()}};
    for (const model::Container& container : rescued.containers) {
        result["containers"].push_back({{"name", container.spec.name},
                                        {"uuid", container.uuid.to_string()},
                                        {"state", std::string(model::to_string(container.state))}});
    }
    for (const templates::Template& made : rescued.templates) {
        result["templates"].push_back({{"name", made.name}, {"digest", made.digest}});
    }
    for (const LeftInPlace& left : rescued.left) {
        result["left"].push_back({{"path", left.path}, {"name", left.name}, {"why", left.why}});
    }
    return api::to_text(result, 2);
}

} // namespace lodge::daemon
