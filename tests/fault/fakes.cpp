#include "tests/fault/fakes.hpp"

#include "lib/kernel/fs.hpp"
#include "storage/sealed_key.hpp"
#include "tests/fault/things.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <utility>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>

namespace lodge::test {

namespace {

bool has_processes(const Things& things, const std::string& uuid) {
    return things.contains("init " + uuid) || things.contains("clone " + uuid);
}

UniqueFd some_descriptor() {
    return UniqueFd(::eventfd(1, EFD_CLOEXEC)); // readable: there is always news
}

class Volumes final : public storage::VolumeDriver {
  public:
    explicit Volumes(World& world) : world_(world) {}

    storage::DriverInfo info() const override { return {.available = true}; }
    Result<storage::OpenVolume> create(const storage::Volume& volume,
                                       const secret::SecretBuffer& key) override {
        return opened(volume, "volume.create", [&](Things& things) -> Status {
            if (std::filesystem::exists(volume.image_path())) {
                return fail(ErrorCode::already_exists, "there is an image");
            }
            for (const char* part : {"/data/upper", "/data/work"}) {
                RETURN_IF_ERROR(kernel::make_directories(volume.image_path() + part, 0700));
            }
            std::ofstream(key_path(volume)) << text_of(key);
            return unless_held(volume, things);
        });
    }
    Result<storage::OpenVolume> open(const storage::Volume& volume,
                                     const secret::SecretBuffer& key) override {
        return opened(volume, "volume.open", [&](Things& things) -> Status {
            ASSIGN_OR_RETURN(const std::string own,
                             kernel::read_file(key_path(volume), 2 * storage::kVolumeKeySize));
            RETURN_IF_ERROR(unless_held(volume, things));
            return own == text_of(key) ? Status{} : fail(ErrorCode::bad_key, "not its key");
        });
    }
    Status close(const storage::Volume& volume) override {
        return world_.call("volume.close", [&](Things& things) -> Status {
            if (in_use(volume, things)) {
                return refuse(things, "closed while in use");
            }
            RETURN_IF_ERROR(unless_held(volume, things));
            things.erase("loop " + volume.uuid.to_string());
            return {};
        });
    }
    Status destroy(const storage::Volume& volume) override {
        return world_.call("volume.destroy", [&](Things& things) -> Status {
            if (in_use(volume, things)) {
                return refuse(things, "destroyed while in use");
            }
            std::filesystem::remove_all(volume.image_path());
            return {};
        });
    }

  private:
    static bool in_use(const storage::Volume& volume, const Things& things) {
        return is_held(volume.directory) || things.contains("mounts " + volume.uuid.to_string());
    }
    static std::string key_path(const storage::Volume& volume) {
        return volume.image_path() + "/key";
    }
    static std::string text_of(const secret::SecretBuffer& key) {
        return {reinterpret_cast<const char*>(key.bytes().data()), key.size()};
    }
    // By somebody outside, and so is its device.
    static Status unless_held(const storage::Volume& volume, Things& things) {
        if (!things.contains("holder of " + volume.uuid.to_string())) {
            return {};
        }
        things.insert("loop " + volume.uuid.to_string());
        return fail(ErrorCode::busy, "somebody holds the volume");
    }
    Result<storage::OpenVolume>
    opened(const storage::Volume& volume, const std::string& call, const World::Effect& effect) {
        storage::OpenVolume open;
        const Status status = world_.call(call, [&](Things& things) -> Status {
            if (in_use(volume, things)) {
                return refuse(things, "opened twice");
            }
            RETURN_IF_ERROR(effect(things));
            ASSIGN_OR_RETURN(open.filesystem, kernel::open_directory(volume.image_path()));
            return ::flock(open.filesystem.get(), LOCK_EX | LOCK_NB) == 0
                       ? Status{}
                       : refuse(things, "locked");
        });
        RETURN_IF_ERROR(status);
        return open;
    }
    World& world_;
};

Result<secret::SecretBuffer> constant_key() {
    const std::vector<std::byte> bytes(secret::kSealKeySize, std::byte{7});
    return secret::SecretBuffer::copy_of(bytes);
}

class Keys final : public storage::KeyProvider {
  public:
    explicit Keys(World& world) : world_(world) {}
    std::string name() const override { return "fake"; }
    Status prepare() override { return ready(); }
    Status ready() override {
        return world_.call("keys.ready", [](Things&) { return Status{}; });
    }
    Result<storage::SealedKey> wrap(const storage::KeyContext& context,
                                    const secret::SecretBuffer& key) override {
        RETURN_IF_ERROR(world_.call("keys.wrap", [](Things&) { return Status{}; }));
        ASSIGN_OR_RETURN(const secret::SecretBuffer own, constant_key());
        return storage::wrap_with({.key = own, .provider = name()}, context, key);
    }
    Result<secret::SecretBuffer> unwrap(const storage::KeyContext& context,
                                        std::string_view sealed) override {
        RETURN_IF_ERROR(world_.call("keys.unwrap", [](Things&) { return Status{}; }));
        ASSIGN_OR_RETURN(const secret::SecretBuffer own, constant_key());
        return storage::unwrap_with({.key = own, .provider = name()}, context, sealed);
    }

  private:
    World& world_;
};

class Links final : public network::LinkDriver {
  public:
    explicit Links(World& world) : world_(world) {}
    Status ensure_bridge(const network::BridgeSpec&) override { return {}; }
    Status remove_bridge(const std::string&) override { return {}; }
    Result<std::string> bridge_fault(const network::BridgeSpec&) override { return ""; }
    Status ensure_forwarding(const std::string&) override { return {}; }
    Result<std::string> forwarding_fault(const std::string&) override { return ""; }
    Status reattach(const network::Nic& nic) override {
        return world_.call("links.reattach", [&](Things& things) {
            return things.contains("link " + nic.host_name())
                       ? Status{}
                       : fail(ErrorCode::not_found, "there is no card");
        });
    }
    Status attach(const network::Nic& nic, const network::CardEnd&) override {
        return world_.call("links.attach", [&](Things& things) {
            if (!things.contains("element " + nic.host_name())) {
                return refuse(things, "attached before it was admitted");
            }
            things.insert("link " + nic.host_name());
            return Status{};
        });
    }
    Status detach(const std::string& host_name) override {
        return world_.call("links.detach", [&](Things& things) {
            things.erase("link " + host_name);
            return Status{};
        });
    }
    Result<std::vector<network::FoundCard>> cards(const std::string&) override {
        std::vector<network::FoundCard> cards;
        RETURN_IF_ERROR(world_.call("links.cards", [&](Things& things) {
            for (const std::string& rest : with_prefix(things, "link ve-")) {
                cards.push_back({.name = "ve-" + rest, .fault = ""});
            }
            return Status{};
        }));
        return cards;
    }

  private:
    World& world_;
};

class Firewall final : public network::FirewallDriver {
  public:
    explicit Firewall(World& world) : world_(world) {}
    Status ensure_tables(const network::BridgeSpec&) override { return {}; }
    Result<std::string> tables_fault(const network::BridgeSpec&) override { return ""; }
    Status remove_tables() override { return {}; }
    Status admit(const network::Nic& nic) override {
        return world_.call("firewall.admit", [&](Things& things) {
            forget(things, nic.host_name());
            things.insert("element " + nic.host_name());
            things.insert(addresses_of(nic));
            return Status{};
        });
    }
    Status expel(const std::string& host_name) override {
        return world_.call("firewall.expel", [&](Things& things) {
            forget(things, host_name);
            return Status{};
        });
    }
    Result<std::vector<std::string>> admitted() override {
        std::vector<std::string> names;
        RETURN_IF_ERROR(world_.call("firewall.admitted", [&](Things& things) {
            names = with_prefix(things, "element ");
            return Status{};
        }));
        return names;
    }
    Result<std::vector<std::string>> misadmitted(const std::vector<network::Nic>& nics) override {
        std::vector<std::string> names;
        RETURN_IF_ERROR(world_.call("firewall.misadmitted", [&](Things& things) {
            for (const network::Nic& nic : nics) {
                if (!things.contains("element " + nic.host_name()) ||
                    !things.contains(addresses_of(nic))) {
                    names.push_back(nic.host_name());
                }
            }
            return Status{};
        }));
        return names;
    }

  private:
    static std::string addresses_of(const network::Nic& nic) {
        std::string all = "addresses of " + nic.host_name();
        for (const model::CidrAddress& address : nic.addresses) {
            all += " " + address.to_string();
        }
        return all;
    }
    static void forget(Things& things, const std::string& host_name) {
        things.erase("element " + host_name);
        std::erase_if(things, [&](const std::string& thing) {
            return thing.starts_with("addresses of " + host_name);
        });
    }
    World& world_;
};

class Groups final : public cgroup::GroupManager {
  public:
    explicit Groups(World& world) : world_(world) {}
    const cgroup::Support& support() const override { return support_; }
    Result<UniqueFd>
    create(const std::string& name, const cgroup::Limits& limits, std::uint32_t) override {
        RETURN_IF_ERROR(world_.call("groups.create", [&](Things& things) {
            if (has_processes(things, uuid_of(name))) {
                return refuse(things, "the stale group has processes");
            }
            things.erase("frozen " + name); // with the stale group
            things.insert("group " + name);
            limit(things, name, limits);
            return Status{};
        }));
        return some_descriptor();
    }
    Status set_limits(const std::string& name, const cgroup::Limits& limits) override {
        return world_.call("groups.set_limits", [&](Things& things) {
            if (things.contains("group " + name)) {
                limit(things, name, limits);
            }
            return Status{};
        });
    }
    Status kill(const std::string& name) override {
        return world_.call("groups.kill", [&](Things& things) {
            end_processes(things, uuid_of(name), "signal 9");
            return Status{};
        });
    }
    Status freeze(const std::string& name, bool frozen) override {
        return world_.call("groups.freeze", [&](Things& things) {
            if (!things.contains("group " + name) || !frozen) {
                things.erase("frozen " + name);
            } else {
                things.insert("frozen " + name);
            }
            return Status{};
        });
    }
    Status wait_frozen(const std::string& name, bool frozen, const Deadline&) override {
        return world_.call("groups.wait_frozen", [&](Things& things) {
            return things.contains("group " + name) && things.contains("frozen " + name) != frozen
                       ? refuse(things, "nobody asked for it")
                       : Status{};
        });
    }
    Result<bool> is_frozen(const std::string& name) override {
        bool frozen = false;
        RETURN_IF_ERROR(world_.call("groups.is_frozen", [&](Things& things) {
            frozen = things.contains("frozen " + name);
            return Status{};
        }));
        return frozen;
    }
    Status wait_empty(const std::string& name, const Deadline&) override {
        return world_.call("groups.wait_empty", [&](Things& things) {
            if (things.contains("stuck process in " + name) ||
                things.contains("waits for FUSE in " + name)) {
                return Status(fail(ErrorCode::timeout, "fake: one waits in the kernel"));
            }
            if (has_processes(things, uuid_of(name))) {
                (void)refuse(things, "nobody killed it");
                return Status(fail(ErrorCode::timeout, "fake: nobody killed it"));
            }
            return Status{};
        });
    }
    Result<std::vector<std::int32_t>> processes(const std::string& name) override {
        std::vector<std::int32_t> pids;
        RETURN_IF_ERROR(world_.call("groups.processes", [&](Things& things) {
            if (things.contains("stuck process in " + name) ||
                has_processes(things, uuid_of(name))) {
                pids.push_back(0); // has no directory in /proc
            }
            return Status{};
        }));
        return pids;
    }
    Result<bool> out_of_memory(const std::string& name) override {
        bool killed = false;
        RETURN_IF_ERROR(world_.call("groups.out_of_memory", [&](Things& things) {
            killed = things.contains("oom kill in " + name);
            return Status{};
        }));
        return killed;
    }
    cgroup::Use use(const std::string&) override { return {}; }
    Status remove(const std::string& name) override {
        return world_.call("groups.remove", [&](Things& things) {
            if (has_processes(things, uuid_of(name))) {
                return refuse(things, "removed with processes");
            }
            things.erase("group " + name);
            things.erase("oom kill in " + name);
            things.erase("frozen " + name);
            limit(things, name, {});
            return Status{};
        });
    }
    Result<std::vector<std::string>> list() override {
        std::vector<std::string> names;
        RETURN_IF_ERROR(world_.call("groups.list", [&](Things& things) {
            names = with_prefix(things, "group ");
            return Status{};
        }));
        return names;
    }

  private:
    static std::string uuid_of(const std::string& group) { return group.substr(3); } // "ct-"
    static void limit(Things& things, const std::string& name, const cgroup::Limits& limits) {
        const std::string memory = "memory of " + name + " ";
        std::erase_if(things, [&](const auto& thing) { return thing.rfind(memory, 0) == 0; });
        if (limits.memory_bytes) {
            things.insert(memory + std::to_string(*limits.memory_bytes));
        }
    }
    World& world_;
    cgroup::Support support_{.controllers = {"memory", "cpu", "pids"}};
};

class FaultyDatabase final : public db::Database {
  public:
    FaultyDatabase(World& world, db::Database& real) : world_(world), real_(real) {}
    Status write(db::Durability durability,
                 const std::function<Status(db::Transaction&)>& body) override {
        return world_.call("database.write",
                           [&](Things&) { return real_.write(durability, body); });
    }
    Result<std::vector<db::Row>> query(const std::string& sql,
                                       const std::vector<db::Value>& values) override {
        std::vector<db::Row> rows;
        const Status status = world_.call("database.query", [&](Things&) -> Status {
            ASSIGN_OR_RETURN(rows, real_.query(sql, values));
            return {};
        });
        RETURN_IF_ERROR(status);
        return rows;
    }
    Status copy_to(const std::string& path) override { return real_.copy_to(path); }
    Status empty_log() override { return real_.empty_log(); }
    void set_fault_hook(std::function<Status()>) override {}

  private:
    World& world_;
    db::Database& real_;
};

} // namespace

std::unique_ptr<storage::VolumeDriver> fake_volumes(World& world) {
    return std::make_unique<Volumes>(world);
}
Result<std::vector<storage::BlockDevice>> fake_devices(World& world, const std::string& directory) {
    std::vector<storage::BlockDevice> devices;
    RETURN_IF_ERROR(world.call("devices.list", [&](Things& things) {
        std::set<std::string> uuids;
        for (const char* sign : {"loop ", "mounts "}) {
            std::ranges::copy(with_prefix(things, sign), std::inserter(uuids, uuids.end()));
        }
        for (const auto& entry : std::filesystem::directory_iterator(directory)) {
            if (is_held(entry.path())) {
                uuids.insert(entry.path().filename());
            }
        }
        for (const std::string& uuid : uuids) {
            devices.push_back({.name = "/dev/loop0",
                               .label = "lodge-" + uuid,
                               .image = directory + "/" + uuid + "/volume.img"});
        }
        return Status{};
    }));
    return devices;
}
std::unique_ptr<storage::KeyProvider> fake_keys(World& world) {
    return std::make_unique<Keys>(world);
}
Result<secret::SecretBuffer> fake_host_key(World& world) {
    RETURN_IF_ERROR(world.call("host_key", [](Things&) { return Status{}; }));
    return constant_key();
}
std::unique_ptr<network::LinkDriver> fake_links(World& world) {
    return std::make_unique<Links>(world);
}
std::unique_ptr<network::FirewallDriver> fake_firewall(World& world) {
    return std::make_unique<Firewall>(world);
}
std::unique_ptr<cgroup::GroupManager> fake_groups(World& world) {
    return std::make_unique<Groups>(world);
}
std::unique_ptr<db::Database> faulty(World& world, db::Database& real) {
    return std::make_unique<FaultyDatabase>(world, real);
}

bool is_held(const std::string& volume_directory) {
    const auto image = kernel::open_directory(volume_directory + "/volume.img");
    return image && ::flock(image->get(), LOCK_EX | LOCK_NB) != 0;
}

} // namespace lodge::test
