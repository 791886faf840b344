#include "daemon/containers/kept_console.hpp"

#include "lib/kernel/fs.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>

#include <fcntl.h>
#include <stdio.h> // renameat
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr std::size_t kMostKept = std::size_t{64} << 10;

std::string directory_of(const std::string& run_directory) {
    return run_directory + "/consoles";
}

// Begins with a whole line if one is near.
std::string last_of(const std::string& text) {
    if (text.size() <= kMostKept) {
        return text;
    }
    constexpr std::size_t kNear = 1024;
    const std::string tail = text.substr(text.size() - kMostKept);
    const std::size_t end = tail.find('\n');
    return end < kNear ? tail.substr(end + 1) : tail;
}

std::string text_of(const ConsoleLife& life) {
    const auto started = static_cast<std::time_t>(life.started_at);
    std::tm parts{};
    std::array<char, 32> time{};
    (void)::gmtime_r(&started, &parts);
    (void)std::strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%SZ", &parts); // it fits
    return life.log + (life.log.ends_with('\n') ? "" : "\n") + "--- init, started at " +
           time.data() + ", ended: " + life.ended + " ---\n";
}

// Not durable, because it need not outlive the host. A reader sees the old or the new content,
// never a part.
Status replace(int directory, const std::string& name, const std::string& content) {
    const std::string fresh = name + ".new";
    {
        ASSIGN_OR_RETURN(
            const UniqueFd file,
            kernel::open_at(directory, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
        RETURN_IF_ERROR(kernel::write_all(file.get(), content));
    }
    if (::renameat(directory, fresh.c_str(), directory, name.c_str()) != 0) {
        return fail_errno("rename", fresh);
    }
    return {};
}

} // namespace

Status
keep_console(const std::string& run_directory, const Uuid& container, const ConsoleLife& one) {
    if (one.log.empty()) {
        return {};
    }
    const std::string life = text_of(one);
    RETURN_IF_ERROR(kernel::make_directories(directory_of(run_directory), 0700));
    ASSIGN_OR_RETURN(const auto directory, kernel::open_directory(directory_of(run_directory)));
    ASSIGN_OR_RETURN(const std::string kept, kept_console(run_directory, container));
    if (kept.ends_with(last_of(life))) {
        return {};
    }
    return replace(directory.get(), container.to_string(), last_of(kept + life));
}

Result<std::string> kept_console(const std::string& run_directory, const Uuid& container) {
    auto kept =
        kernel::read_file(directory_of(run_directory) + "/" + container.to_string(), kMostKept);
    if (!kept && kept.error().sys_errno() == ENOENT) {
        return std::string();
    }
    return kept;
}

Status forget_console(const std::string& run_directory, const Uuid& container) {
    const std::string path = directory_of(run_directory) + "/" + container.to_string();
    for (const std::string& each : {path, path + ".new"}) {
        if (::unlink(each.c_str()) != 0 && errno != ENOENT) {
            return fail_errno("unlink", each);
        }
    }
    return {};
}

Result<std::vector<Uuid>> list_kept_consoles(const std::string& run_directory) {
    std::vector<Uuid> containers;
    const auto directory = kernel::open_directory(directory_of(run_directory));
    if (!directory) {
        return directory.error().sys_errno() == ENOENT
                   ? Result<std::vector<Uuid>>(std::move(containers))
                   : std::unexpected<Error>(directory.error());
    }
    RETURN_IF_ERROR(kernel::for_each_entry(
        directory->get(), [&](const std::string& name, unsigned char) -> Status {
            if (const auto uuid = Uuid::parse(name.substr(0, name.find(".new")))) {
                containers.push_back(*uuid); // another name is nothing of ours
            }
            return {};
        }));
    return containers;
}

std::string joined_consoles(const std::string& kept, const std::string& living) {
    return living.empty() || kept.find(living) != std::string::npos ? kept : kept + living;
}

} // namespace lodge::daemon
