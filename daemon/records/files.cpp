#include "daemon/records/files.hpp"

#include "daemon/records/record.hpp"
#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

// The bytes of a sealed key must not stay on the disk after its container.
Status overwrite(int fd) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) {
        return fail_errno("fstat", kRecordName);
    }
    const auto size = std::min(static_cast<std::size_t>(info.st_size), kLongestRecord);
    const std::string zeros(size, '\0');
    if (::pwrite(fd, zeros.data(), size, 0) != static_cast<ssize_t>(size) || ::fdatasync(fd) != 0) {
        // A full copy-on-write filesystem has no room for them; a destroy makes room.
        return errno == ENOSPC ? Status{} : fail_errno("overwrite", kRecordName);
    }
    return {};
}

Result<UniqueFd> open_old(int directory) {
    auto old = kernel::open_at(directory, kRecordName, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    if (!old && old.error().sys_errno() == ENOENT) {
        return UniqueFd();
    }
    return old;
}

Status sync_directory(int fd, const std::string& path) {
    return ::fsync(fd) == 0 ? Status{} : fail_errno("fsync", path);
}

Status write_with(const RecordParts& parts,
                  const secret::SecretBuffer& host_key,
                  const model::Container& c) {
    ContainerRecord record{.container = c, .sealed_keys = {}};
    for (const model::Disk& disk : c.disks) {
        ASSIGN_OR_RETURN(record.sealed_keys[disk.uuid], parts.containers.sealed_key(disk.uuid));
    }
    ASSIGN_OR_RETURN(const std::string text, encode_record(record, host_key));
    const std::string all = parts.settings.containers_directory();
    ASSIGN_OR_RETURN(const auto parent, kernel::open_directory(all));
    ASSIGN_OR_RETURN(const auto directory,
                     kernel::open_directory_at(parent.get(), c.uuid.to_string()));
    ASSIGN_OR_RETURN(const UniqueFd old, open_old(directory.get()));
    if (old) {
        if (const auto now = kernel::read_all(old.get(), kLongestRecord); now && *now == text) {
            return {};
        }
    }
    RETURN_IF_ERROR(kernel::replace_file(directory.get(), kRecordName, text, 0600));
    return old ? overwrite(old.get()) : sync_directory(parent.get(), all);
}

Status write_with(const RecordParts& parts,
                  const secret::SecretBuffer& host_key,
                  const templates::Template& made) {
    ASSIGN_OR_RETURN(const std::string text, encode_record(made, host_key));
    return parts.store.put_record({.digest = made.digest, .name = made.name, .text = text});
}

Status write_up(const RecordParts& parts, const model::Container& container) {
    // One at a time, each from the present row: of two changes the later one's note stays.
    static std::mutex noting;
    const std::lock_guard guard(noting);
    const bool told = container.state != model::State::stopped || container.resume ||
                      container.start_at.has_value();
    const bool comes_up = parts.containers.comes_up(container.uuid).value_or(told);
    ASSIGN_OR_RETURN(
        const auto directory,
        kernel::open_directory(parts.settings.container_directory(container.uuid.to_string())));
    if (comes_up) {
        RETURN_IF_ERROR(kernel::open_at(
            directory.get(), kUpName, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
        return {};
    }
    const bool gone = ::unlinkat(directory.get(), kUpName, 0) == 0 || errno == ENOENT;
    return gone ? Status{} : fail_errno("unlink", kUpName);
}

Status complete_containers(const RecordParts& parts, const secret::SecretBuffer& host_key) {
    ASSIGN_OR_RETURN(const auto rows, parts.containers.list());
    for (const model::Container& row : rows) {
        note_up(parts, row);
        if (const Status written = write_with(parts, host_key, row); !written) {
            parts.warn("the record beside the volume of '" + row.spec.name +
                       "' could not be written: " + written.error().to_string());
        }
    }
    return {};
}

using Records = std::vector<templates::ImageRecord>;
using Names = std::vector<templates::Template>;

// Removes records of a build or a removal that was not completed. While the database does not know
// some containers, one of them may need the image of an unnamed record.
Status remove_stale(const RecordParts& parts, const Names& rows, const Records& records) {
    ASSIGN_OR_RETURN(const auto unclaimed, unclaimed_volumes(parts));
    for (const templates::ImageRecord& record : records) {
        const bool known = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
            return row.name == record.name && row.digest == record.digest;
        });
        if (!known && unclaimed.empty()) {
            RETURN_IF_ERROR(parts.store.remove_record(record.digest, record.name));
        }
    }
    return {};
}

Status complete_templates(const RecordParts& parts, const secret::SecretBuffer& host_key) {
    ASSIGN_OR_RETURN(const Names rows, parts.templates.list());
    ASSIGN_OR_RETURN(const Records records, parts.store.records());
    RETURN_IF_ERROR(remove_stale(parts, rows, records));
    for (const templates::Template& row : rows) {
        ASSIGN_OR_RETURN(const std::string text, encode_record(row, host_key));
        const bool written = std::any_of(records.begin(), records.end(), [&](const auto& record) {
            return record.digest == row.digest && record.text == text;
        });
        if (!written) {
            RETURN_IF_ERROR(write_with(parts, host_key, row));
        }
    }
    return {};
}

} // namespace

Status write_record(const RecordParts& parts, const model::Container& container) {
    ASSIGN_OR_RETURN(const auto host_key, parts.host_key());
    return with_context(write_with(parts, host_key, container),
                        "write the record beside the volume of '" + container.spec.name + "'");
}

Status write_record(const RecordParts& parts, const templates::Template& made) {
    ASSIGN_OR_RETURN(const auto host_key, parts.host_key());
    return with_context(write_with(parts, host_key, made),
                        "write the record beside the image of '" + made.name + "'");
}

void note_up(const RecordParts& parts, const model::Container& container) {
    if (const Status noted = write_up(parts, container); !noted) {
        parts.warn("note beside the volume of '" + container.spec.name +
                   "' whether it is up: " + noted.error().to_string() + ", ignoring");
    }
}

Status erase_record(const RecordParts& parts, const Uuid& container) {
    const auto directory =
        kernel::open_directory(parts.settings.container_directory(container.to_string()));
    if (!directory) {
        return directory.error().sys_errno() == ENOENT ? Status{}
                                                       : std::unexpected<Error>(directory.error());
    }
    ASSIGN_OR_RETURN(const UniqueFd old, open_old(directory->get()));
    if (!old) {
        return {};
    }
    RETURN_IF_ERROR(overwrite(old.get()));
    if (::unlinkat(directory->get(), kRecordName, 0) != 0 && errno != ENOENT) {
        return fail_errno("unlink", kRecordName);
    }
    return {};
}

Result<std::vector<Uuid>> unclaimed_volumes(const RecordParts& parts) {
    ASSIGN_OR_RETURN(auto volumes, volumes_on_disk(parts.settings));
    ASSIGN_OR_RETURN(const auto rows, parts.containers.list_all());
    for (const model::Container& row : rows) {
        std::erase(volumes, row.uuid);
        for (const model::Disk& disk : row.disks) {
            std::erase(volumes, disk.uuid);
        }
    }
    return volumes;
}

void complete_records(const RecordParts& parts) {
    const auto complete = [&]() -> Status {
        ASSIGN_OR_RETURN(const auto host_key, parts.host_key());
        RETURN_IF_ERROR(complete_containers(parts, host_key));
        return complete_templates(parts, host_key);
    };
    if (const Status completed = complete(); !completed) {
        parts.warn("records beside volumes and images: " + completed.error().to_string());
    }
}

} // namespace lodge::daemon
