#include "lib/kernel/fs.hpp"
#include "tests/fault/fakes.hpp"
#include "tests/fault/things.hpp"

#include <algorithm>

namespace lodge::test {

namespace {

class Store final : public templates::TemplateStore {
  public:
    explicit Store(World& world) : world_(world) {}

    Result<templates::Template> build(const templates::Definition& definition,
                                      const templates::Work& work) override {
        return make(definition.name, work);
    }
    Result<templates::Template>
    import(const std::string& name, int, const templates::Work& work) override {
        return make(name, work);
    }
    Status discard(const std::string& work_id) override {
        return world_.call("store.discard", [&](Things& things) {
            things.erase("work " + work_id);
            return Status{};
        });
    }
    Status remove(const std::string& digest) override {
        return world_.call("store.remove", [&](Things& things) {
            if (things.contains("mounted " + digest)) {
                return refuse(things, "removed while mounted");
            }
            things.erase("image " + digest);
            std::erase_if(things, [&](const std::string& thing) {
                return thing.rfind("record " + digest, 0) == 0;
            });
            return Status{};
        });
    }
    // One for each name; the fake keeps the text in the name of the thing.
    Status put_record(const templates::ImageRecord& record) override {
        return world_.call("store.put_record", [&](Things& things) {
            erase_record(things, record.digest, record.name);
            std::string line = record.text;
            std::replace(line.begin(), line.end(), '\n', '\r'); // each thing is saved as one line
            things.insert("record " + record.digest + " " + record.name + " " + line);
            return Status{};
        });
    }
    Status remove_record(const std::string& digest, const std::string& name) override {
        return world_.call("store.remove_record", [&](Things& things) {
            erase_record(things, digest, name);
            return Status{};
        });
    }
    Result<std::vector<templates::ImageRecord>> records() override {
        std::vector<templates::ImageRecord> all;
        RETURN_IF_ERROR(world_.call("store.records", [&](Things& things) {
            for (const std::string& rest : with_prefix(things, "record ")) {
                const std::size_t digest = rest.find(' ');
                const std::size_t name = rest.find(' ', digest + 1);
                all.push_back({.digest = rest.substr(0, digest),
                               .name = rest.substr(digest + 1, name - digest - 1),
                               .text = rest.substr(name + 1)});
                std::replace(all.back().text.begin(), all.back().text.end(), '\r', '\n');
            }
            return Status{};
        }));
        return all;
    }
    Result<std::vector<std::string>> list() override { return found("store.list", "image "); }
    Result<std::vector<std::string>> mount_points() override {
        return found("store.mount_points", "mounted ");
    }
    Result<std::vector<std::string>> works() override { return found("store.works", "work "); }
    Result<kernel::MountFd> mount(const std::string& digest) override {
        const std::string tree = world_.place() + "/tree";
        RETURN_IF_ERROR(world_.call("store.mount", [&](Things& things) -> Status {
            if (!things.contains("image " + digest)) {
                return fail(ErrorCode::not_found, "fake: no such image");
            }
            things.insert("mounted " + digest);
            return kernel::make_directories(tree, 0700);
        }));
        return kernel::open_directory(tree);
    }
    Status unmount(const std::string& digest) override {
        return world_.call("store.unmount", [&](Things& things) {
            things.erase("mounted " + digest);
            return Status{};
        });
    }

  private:
    static void erase_record(Things& things, const std::string& digest, const std::string& name) {
        std::erase_if(things, [&](const std::string& thing) {
            return thing.rfind("record " + digest + " " + name + " ", 0) == 0;
        });
    }
    Result<std::vector<std::string>> found(const std::string& call, const std::string& prefix) {
        std::vector<std::string> names;
        RETURN_IF_ERROR(world_.call(call, [&](Things& things) {
            names = with_prefix(things, prefix);
            return Status{};
        }));
        return names;
    }
    // A failure leaves nothing behind, a crash all.
    Result<templates::Template> make(const std::string& name, const templates::Work& work) {
        std::string digest = "sha256:";
        while (digest.size() < 7 + 64) {
            digest += "0123456789abcdef"[(name.size() + digest.size()) % 16];
        }
        auto status = world_.call("store.make", [&](Things& things) {
            things.insert("work " + work.id);
            return Status{};
        });
        if (status) {
            status = world_.call("store.publish", [&](Things& things) {
                things.insert("image " + digest);
                return Status{};
            });
        }
        world_.happen([&](Things& things) {
            things.erase("work " + work.id);
            if (!status) {
                things.erase("image " + digest);
            }
        });
        RETURN_IF_ERROR(status);
        return templates::Template{.name = name,
                                   .digest = digest,
                                   .init = "/sbin/init",
                                   .halt_signal = "SIGPWR",
                                   .ready = "running",
                                   .source = "fake"};
    }
    World& world_;
};

} // namespace

std::unique_ptr<templates::TemplateStore> fake_templates(World& world) {
    return std::make_unique<Store>(world);
}

} // namespace lodge::test
