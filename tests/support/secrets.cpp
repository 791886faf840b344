#include "tests/support/secrets.hpp"

#include "daemon/store/store.hpp"
#include "lib/kernel/fs.hpp"
#include "storage/key_file.hpp"
#include "storage/key_provider.hpp"

#include <cstdio>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace lodge::test {

Result<secret::SecretBuffer> master_key_of(const LodgeHost& host) {
    return storage::read_key_file({.path = host.directory() + "/state/master.key", .what = "it"});
}

Result<secret::SecretBuffer> host_key_of(const LodgeHost& host) {
    return storage::read_key_file({.path = host.directory() + "/state/host.key", .what = "it"});
}

Result<daemon::ContainerRecord> container_record(const LodgeHost& host, const std::string& text) {
    ASSIGN_OR_RETURN(const auto host_key, host_key_of(host));
    const auto provider = storage::make_file_key_provider(host.directory() + "/state/master.key");
    return daemon::decode_record(text, {.host = &host_key, .provider = *provider});
}

Result<secret::SecretBuffer> volume_key_of(const LodgeHost& host, const std::string& name) {
    ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(host.field(name, "uuid")));
    ASSIGN_OR_RETURN(const auto database, daemon::open_store(host.directory() + "/state/lodge.db"));
    ASSIGN_OR_RETURN(const std::string sealed,
                     daemon::ContainerRepository(*database).sealed_key(uuid));
    return storage::make_file_key_provider(host.directory() + "/state/master.key")
        ->unwrap({.container = uuid, .volume = uuid, .slot = 0}, sealed);
}

Result<storage::OpenVolume> open_volume_of(const LodgeHost& host, const std::string& name) {
    ASSIGN_OR_RETURN(const Uuid uuid, Uuid::parse(host.field(name, "uuid")));
    ASSIGN_OR_RETURN(const auto encryption,
                     model::parse_encryption(host.field(name, "encryption")));
    ASSIGN_OR_RETURN(const auto key, volume_key_of(host, name));
    const std::string image = host.field(name, "image");
    return storage::make_driver(encryption)
        ->open({.uuid = uuid,
                .directory = image.substr(0, image.rfind('/')),
                .bytes = std::stoull(host.field(name, "disk_bytes")),
                .encryption = encryption},
               key);
}

Result<bool> memory_holds(pid_t pid, std::string_view bytes) {
    const std::string base = "/proc/" + std::to_string(pid);
    ASSIGN_OR_RETURN(const std::string maps,
                     kernel::read_file(base + "/maps", std::size_t{4} << 20));
    ASSIGN_OR_RETURN(const UniqueFd memory, kernel::open_file(base + "/mem", O_RDONLY));
    std::istringstream lines(maps);
    for (std::string line; std::getline(lines, line);) {
        unsigned long begin = 0;
        unsigned long end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) != 2) {
            return fail(ErrorCode::corrupt, "odd line in maps: " + line);
        }
        std::string text;
        std::vector<char> chunk(std::size_t{1} << 20);
        for (unsigned long at = begin; at < end;) {
            const ssize_t size = ::pread(memory.get(),
                                         chunk.data(),
                                         std::min<std::size_t>(chunk.size(), end - at),
                                         static_cast<off_t>(at));
            if (size <= 0) {
                break; // guard pages, [vvar]: not in a core image
            }
            // Keeps the end of a piece, to find bytes that lie across two pieces.
            text.erase(0, text.size() - std::min(text.size(), bytes.size() - 1));
            text.append(chunk.data(), static_cast<std::size_t>(size));
            if (text.find(bytes) != std::string::npos) {
                return true;
            }
            at += static_cast<unsigned long>(size);
        }
    }
    return false;
}

} // namespace lodge::test
