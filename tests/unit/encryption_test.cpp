#include "daemon/config.hpp"
#include "daemon/containers/encryption_choice.hpp"
#include "lib/kernel/fs.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>

namespace lodge::daemon {
namespace {

/// A driver that is there or not, and does nothing.
class Possible final : public storage::VolumeDriver {
  public:
    Possible(model::Encryption encryption, bool available)
        : encryption_(encryption), available_(available) {}
    storage::DriverInfo info() const override {
        return {.encryption = encryption_,
                .available = available_,
                .why_not = available_ ? "" : "a part is missing",
                .description = {}};
    }
    Result<storage::OpenVolume> create(const storage::Volume&,
                                       const secret::SecretBuffer&) override {
        return fail(ErrorCode::internal, "not asked for");
    }
    Result<storage::OpenVolume> open(const storage::Volume& volume,
                                     const secret::SecretBuffer& key) override {
        return create(volume, key);
    }
    Status close(const storage::Volume&) override { return {}; }
    Status destroy(const storage::Volume&) override { return {}; }

  private:
    model::Encryption encryption_;
    bool available_;
};

storage::Drivers host_with(const std::set<model::Encryption>& available) {
    storage::Drivers drivers;
    for (const storage::EncryptionKind& kind : storage::encryptions()) {
        drivers[kind.encryption] =
            std::make_unique<Possible>(kind.encryption, available.contains(kind.encryption));
    }
    return drivers;
}

using model::Encryption;

TEST(EncryptionChoice, TakesTheBestThatTheHostHasAndNoneByNameAlone) {
    const Settings settings;
    const auto choose = [&](const std::set<Encryption>& available) {
        return choose_encryption(std::nullopt, settings, host_with(available));
    };
    EXPECT_EQ(choose({Encryption::luks2, Encryption::fscrypt, Encryption::none}).value(),
              Encryption::luks2);
    EXPECT_EQ(choose({Encryption::fscrypt, Encryption::none}).value(), Encryption::fscrypt);
    const auto refused = choose({Encryption::none});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::unsupported);
    EXPECT_NE(refused.error().message().find("luks2 and fscrypt"), std::string::npos);
}

TEST(EncryptionChoice, TakesNothingElseThanWhatWasAskedForOrConfigured) {
    Settings settings;
    const storage::Drivers host = host_with({Encryption::luks2, Encryption::none});
    EXPECT_EQ(choose_encryption(Encryption::none, settings, host).value(), Encryption::none);
    EXPECT_EQ(choose_encryption(Encryption::fscrypt, settings, host).error().code(),
              ErrorCode::unsupported);
    settings.encryption = "none";
    EXPECT_EQ(choose_encryption(std::nullopt, settings, host).value(), Encryption::none);
    EXPECT_EQ(choose_encryption(Encryption::luks2, settings, host).value(), Encryption::luks2);
    settings.encryption = "fscrypt";
    EXPECT_EQ(choose_encryption(std::nullopt, settings, host).error().code(),
              ErrorCode::unsupported);
}

TEST(EncryptionChoice, ClosesAnUnknownVolumeWithTheBestDriverOfTheHost) {
    EXPECT_EQ(storage::encryption_to_close_with(host_with({Encryption::luks2, Encryption::none})),
              Encryption::luks2);
    EXPECT_EQ(storage::encryption_to_close_with(host_with({Encryption::none})), Encryption::none);
    EXPECT_EQ(storage::encryption_to_close_with(host_with({})), Encryption::none);
}

// Each place that has the names of encryptions in a text of its own.
TEST(EncryptionTable, HasAllEncryptionsAndEveryTextNamesThem) {
    std::set<std::string> names;
    for (const storage::EncryptionKind& kind : storage::encryptions()) {
        const std::string name(model::to_string(kind.encryption));
        ASSERT_EQ(model::parse_encryption(name).value(), kind.encryption);
        EXPECT_EQ(storage::make_driver(kind.encryption)->info().encryption, kind.encryption);
        EXPECT_TRUE(names.insert(name).second) << name << " twice";
        Settings settings;
        EXPECT_TRUE(apply_config("encryption: " + name + "\n", "lodge.yaml", settings)) << name;
    }
    std::size_t known = 0;
    while (model::to_string(static_cast<Encryption>(known)) != "?") {
        ++known;
    }
    EXPECT_EQ(names.size(), known) << "the table lacks one that lib/model knows";
    for (const char* file : {"etc/lodge.yaml",
                             "etc/man/lodge.1",
                             "etc/man/lodge.yaml.5",
                             "etc/completion/lodge",
                             "docs/configuration.md",
                             "docs/cli.md",
                             "docs/openapi.yaml",
                             "docs/storage.md",
                             "lib/model/spec_fields.cpp"}) {
        const auto text =
            kernel::read_file(std::string(LODGE_SOURCE_DIR "/") + file, std::size_t{1} << 20);
        ASSERT_TRUE(text) << file;
        for (const std::string& name : names) {
            EXPECT_NE(text->find(name), std::string::npos) << file << " does not name " << name;
        }
    }
}

} // namespace
} // namespace lodge::daemon
