#include "daemon/rescue/find.hpp"

#include "daemon/records/key_context.hpp"
#include "daemon/records/places.hpp"
#include "lib/kernel/fs.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace lodge::daemon {

namespace {

std::unexpected<Error> refuse(std::string why) {
    return fail(ErrorCode::corrupt, std::move(why));
}

// A record that nobody can check says nothing about the record: all have to wait for the key.
bool lacks_host_key(const Error& error, const RecordKeys& keys) {
    return keys.host == nullptr && error.code() == ErrorCode::not_found;
}

Result<ContainerRecord> read_record(const std::string& place, const RecordKeys& keys) {
    ASSIGN_OR_RETURN(const auto directory, kernel::open_directory(place));
    ASSIGN_OR_RETURN(
        const auto file,
        kernel::open_at(directory.get(), kRecordName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    ASSIGN_OR_RETURN(const std::string text, kernel::read_all(file.get(), kLongestRecord));
    return decode_record(text, keys);
}

using Templates = std::map<std::string, std::string>; ///< digest by name

Status check_template(const model::Container& container, const Templates& templates) {
    const auto made_of = templates.find(container.spec.template_name);
    if (made_of == templates.end() || made_of->second != container.template_digest) {
        return refuse("its template '" + container.spec.template_name + "' (" +
                      container.template_digest + ") is not there");
    }
    return {};
}

Status check_keys(storage::KeyProvider& provider, const ContainerRecord& record) {
    for (const model::Disk& disk : record.container.disks) {
        RETURN_IF_ERROR(with_context(provider.unwrap(key_context_of(record.container, disk),
                                                     record.sealed_keys.at(disk.uuid)),
                                     "unwrap the volume's key"));
    }
    return {};
}

// The record of one directory, if everything that it needs is there.
Result<ContainerRecord>
take(const Settings& settings, const Uuid& uuid, const Beside& beside, const RecordKeys& keys) {
    const std::string place = settings.container_directory(uuid.to_string());
    if (!beside.record) {
        return refuse(std::string("it holds a volume without its record '") + kRecordName +
                      "', and so without its key");
    }
    ASSIGN_OR_RETURN(ContainerRecord record, read_record(place, keys));
    if (record.container.uuid != uuid) {
        return refuse("its record is that of " + record.container.uuid.to_string());
    }
    return record;
}

Status check_images(const Settings& settings, const ContainerRecord& record) {
    for (const model::Disk& disk : record.container.disks) {
        const auto place = look_beside(settings.volume_directory(disk.uuid));
        if (!place && place.error().sys_errno() != ENOENT) {
            return std::unexpected<Error>(place.error());
        }
        const std::string image = std::string("its image '") + model::kImageName + "'";
        if (!place || !place->image) {
            return refuse("its record is there, but not " + image);
        }
        if (place->bytes < record.container.spec.disk_bytes) {
            return refuse(image + " is shorter than its volume: it was cut");
        }
    }
    return {};
}

// Values that only one container can have. The first to claim one has it.
class Claims {
  public:
    Status claim(const model::Container& container) {
        std::vector<std::string> claims{"the name '" + container.spec.name + "'",
                                        "the id range from " + std::to_string(container.uid_base)};
        for (const model::CidrAddress& address : container.addresses()) {
            claims.push_back("the address " + address.address.to_string());
        }
        for (const std::string& claim : claims) {
            if (const auto holder = holders_.find(claim); holder != holders_.end()) {
                return refuse(claim + " is that of an older container too, " + holder->second);
            }
        }
        for (const std::string& claim : claims) {
            holders_[claim] = container.uuid.to_string();
        }
        return {};
    }

  private:
    std::map<std::string, std::string> holders_;
};

Result<templates::Template>
take(const std::string& place, const templates::ImageRecord& record, const RecordKeys& keys) {
    ASSIGN_OR_RETURN(auto made, decode_template_record(record.text, keys));
    if (made.name != record.name || made.digest != record.digest) {
        return refuse("its record is that of '" + made.name + "', " + made.digest);
    }
    struct stat info{};
    if (::lstat((place + "/template.erofs").c_str(), &info) != 0 ||
        static_cast<std::uint64_t>(info.st_size) != made.bytes) {
        return refuse("its image 'template.erofs' is missing or was cut");
    }
    return made;
}

Status find_templates(const Settings& settings, const RecordKeys& keys, Found& found) {
    const auto store = templates::make_template_store(
        {.directory = settings.templates_directory(), .run_directory = settings.template_mounts()});
    ASSIGN_OR_RETURN(const auto records, store->records());
    std::set<std::string> names;
    for (const templates::ImageRecord& record : records) {
        const std::string place = settings.templates_directory() + "/" +
                                  record.digest.substr(record.digest.find(':') + 1);
        auto made = take(place, record, keys);
        if (made && !names.insert(made->name).second) {
            made = refuse("another image has the name '" + made->name + "' too");
        }
        if (made) {
            found.templates.push_back(std::move(*made));
        } else if (lacks_host_key(made.error(), keys)) {
            return std::unexpected<Error>(made.error());
        } else {
            found.left.push_back({.path = place + "/" + record.name + ".json",
                                  .name = record.name,
                                  .why = made.error().to_string()});
        }
    }
    return {};
}

// The record of one container; sets its name as soon as that is known.
Result<ContainerRecord> judge(const Settings& settings,
                              const Uuid& uuid,
                              const Templates& templates,
                              const RecordKeys& keys,
                              std::string& name) {
    ASSIGN_OR_RETURN(const Beside beside,
                     look_beside(settings.container_directory(uuid.to_string())));
    ASSIGN_OR_RETURN(ContainerRecord record, take(settings, uuid, beside, keys));
    name = record.container.spec.name;
    RETURN_IF_ERROR(check_keys(keys.provider, record));
    RETURN_IF_ERROR(check_images(settings, record));
    RETURN_IF_ERROR(check_template(record.container, templates));
    return record;
}

// Of two containers with the same claim the older one has it.
void settle_claims(std::vector<ContainerRecord> whole, const Settings& settings, Found& found) {
    std::sort(whole.begin(), whole.end(), [](const auto& a, const auto& b) {
        return std::tie(a.container.created_at, a.container.uuid) <
               std::tie(b.container.created_at, b.container.uuid);
    });
    Claims claims;
    for (ContainerRecord& record : whole) {
        const model::Container& container = record.container;
        if (const Status claimed = claims.claim(container); !claimed) {
            found.left.push_back({.path = settings.container_directory(container.uuid.to_string()),
                                  .name = container.spec.name,
                                  .why = claimed.error().to_string()});
        } else {
            found.containers.push_back(std::move(record));
        }
    }
}

} // namespace

Result<Found> find_records(const Settings& settings, const RecordKeys& keys) {
    Found found;
    RETURN_IF_ERROR(find_templates(settings, keys, found));
    Templates templates;
    for (const templates::Template& made : found.templates) {
        templates[made.name] = made.digest;
    }
    ASSIGN_OR_RETURN(const auto uuids, volumes_on_disk(settings));
    std::vector<ContainerRecord> whole;
    for (const Uuid& uuid : uuids) {
        std::string name;
        if (auto record = judge(settings, uuid, templates, keys, name)) {
            whole.push_back(std::move(*record));
        } else if (lacks_host_key(record.error(), keys)) {
            return std::unexpected<Error>(record.error());
        } else {
            found.left.push_back({.path = settings.container_directory(uuid.to_string()),
                                  .name = name,
                                  .why = record.error().to_string()});
        }
    }
    settle_claims(std::move(whole), settings, found);
    return found;
}

} // namespace lodge::daemon
