#include "daemon/records/record.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace lodge::daemon {
namespace {

class Record : public ::testing::Test {
  protected:
    Record() {
        model::Container& c = record_.container;
        c.uuid = Uuid::parse("0123e456-89ab-4def-8123-456789abcdef").value();
        c.spec = {.name = "web1",
                  .template_name = "debian-12",
                  .hostname = "web1.example.org",
                  .disk_bytes = std::uint64_t{3} << 30,
                  .resources = {.memory_bytes = std::uint64_t{1} << 29, .pids = 300},
                  .encryption = model::Encryption::fscrypt,
                  .rootfs = model::Rootfs::private_tree};
        c.uid_base = 0x40010000;
        c.template_digest = "sha256:abc";
        c.disks = {{.uuid = c.uuid}, {.uuid = Uuid::generate().value(), .slot = 3}};
        c.cards = {{.uuid = Uuid::generate().value(),
                    .mac_address = "02:00:00:00:00:05",
                    .addresses = {model::CidrAddress::parse("10.77.0.5/16").value(),
                                  model::CidrAddress::parse("fd4c:6f64:6765::5/64").value()}},
                   {.uuid = Uuid::generate().value(),
                    .slot = 1,
                    .mac_address = "02:00:00:00:00:06",
                    .addresses = {}}};
        c.created_at = 1'700'000'000;
        for (const model::Disk& disk : c.disks) {
            record_.sealed_keys[disk.uuid] = "sealed " + disk.name();
        }
    }
    std::string encoded() const { return encode_record(record_, host_key_).value(); }
    ErrorCode refusal(const std::string& text) const {
        const auto decoded = decode_record(text, keys());
        EXPECT_FALSE(decoded) << text;
        return decoded ? ErrorCode::internal : decoded.error().code();
    }
    static std::string with(std::string text, const std::string& what, const std::string& instead) {
        const std::size_t at = text.find(what);
        EXPECT_NE(at, std::string::npos) << what;
        return text.replace(at, what.size(), instead);
    }

    RecordKeys keys() const { return {.host = &host_key_, .provider = *provider_}; }

    test::TempDir directory_;
    std::unique_ptr<storage::KeyProvider> provider_ =
        storage::make_file_key_provider(directory_.path() + "/master.key");
    secret::SecretBuffer host_key_ = secret::SecretBuffer::random(secret::kSealKeySize).value();
    ContainerRecord record_;
};

TEST_F(Record, BringsBackWhatTheRowHas) {
    const auto decoded = decode_record(encoded(), keys());
    ASSERT_TRUE(decoded) << decoded.error().to_string();
    const model::Container& before = record_.container;
    const model::Container& after = decoded->container;
    EXPECT_EQ(after.uuid, before.uuid);
    EXPECT_EQ(after.spec.name, "web1");
    EXPECT_EQ(after.spec.template_name, "debian-12");
    EXPECT_EQ(after.spec.hostname, "web1.example.org");
    EXPECT_EQ(after.spec.disk_bytes, before.spec.disk_bytes);
    EXPECT_EQ(after.spec.resources, before.spec.resources);
    EXPECT_EQ(after.spec.encryption, before.spec.encryption);
    EXPECT_EQ(after.spec.rootfs, before.spec.rootfs);
    EXPECT_EQ(after.uid_base, before.uid_base);
    EXPECT_EQ(after.template_digest, before.template_digest);
    EXPECT_EQ(after.disks, before.disks);
    EXPECT_EQ(after.cards, before.cards);
    EXPECT_EQ(after.created_at, before.created_at);
    EXPECT_EQ(decoded->sealed_keys, record_.sealed_keys);
    EXPECT_EQ(encode_record(*decoded, host_key_).value(), encoded()) << "equal content, equal text";
}

TEST_F(Record, IsRefusedWhateverByteWasChanged) {
    const std::string text = encoded();
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string changed = text;
        changed[at] = changed[at] == '7' ? '8' : '7';
        const auto decoded = decode_record(changed, keys());
        // A blank that became a digit may still be no JSON; nothing is ever accepted.
        ASSERT_FALSE(decoded) << "byte " << at << ": " << changed;
    }
    EXPECT_EQ(refusal(with(text, "\"web1\"", "\"web2\"")), ErrorCode::bad_key);
    EXPECT_EQ(refusal(with(text, "1073807360", "1073872896")), ErrorCode::bad_key);
    EXPECT_EQ(refusal(text.substr(0, text.size() / 2)), ErrorCode::corrupt);
    EXPECT_EQ(refusal(""), ErrorCode::corrupt);
}

TEST_F(Record, MayBeLaidOutOtherwise) {
    std::string text = encoded();
    std::erase(text, '\n');
    EXPECT_TRUE(decode_record(text, keys()));
}

TEST_F(Record, IsRefusedUnderAnotherHostsKey) {
    const std::string text = encoded();
    host_key_ = secret::SecretBuffer::random(secret::kSealKeySize).value();
    EXPECT_EQ(refusal(text), ErrorCode::bad_key);
}

TEST_F(Record, IsRefusedWithoutTheHostsKey) {
    const auto decoded = decode_record(encoded(), {.host = nullptr, .provider = *provider_});
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code(), ErrorCode::not_found);
}

TEST_F(Record, NeedsNoMasterKey) {
    EXPECT_FALSE(provider_->ready());
    EXPECT_TRUE(decode_record(encoded(), keys()));
}

// Whoever has the master key, such as a service that holds it, can make no record of this format.
TEST_F(Record, OfFormat1IsNotCheckedWithTheHostsKey) {
    ASSERT_TRUE(provider_->prepare());
    EXPECT_EQ(refusal(with(encoded(), "\"format\": 2", "\"format\": 1")), ErrorCode::bad_key);
}

TEST_F(Record, OfANewerReleaseIsCalledThat) {
    EXPECT_EQ(refusal(with(encoded(), "\"format\": 2", "\"format\": 3")), ErrorCode::unsupported);
    EXPECT_EQ(refusal(with(encoded(), "\"format\": 2", "\"format\": 0")), ErrorCode::corrupt);
}

TEST_F(Record, OfATemplateIsNoneOfAContainer) {
    const templates::Template made{.name = "debian-12",
                                   .digest = "sha256:abc",
                                   .bytes = 4096,
                                   .init = "/sbin/init",
                                   .halt_signal = "SIGRTMIN+3",
                                   .ready = "ssh",
                                   .source = "mmdebstrap bookworm",
                                   .created_at = 1'700'000'000};
    const std::string text = encode_record(made, host_key_).value();
    const auto decoded = decode_template_record(text, keys());
    ASSERT_TRUE(decoded) << decoded.error().to_string();
    EXPECT_EQ(encode_record(*decoded, host_key_).value(), text);
    EXPECT_EQ(decoded->halt_signal, "SIGRTMIN+3");
    EXPECT_EQ(decoded->bytes, 4096U);
    EXPECT_EQ(refusal(text), ErrorCode::corrupt);
    EXPECT_FALSE(decode_template_record(with(text, "/sbin/init", "/sbin/inix"), keys()));
    EXPECT_EQ(decode_template_record(encoded(), keys()).error().code(), ErrorCode::corrupt);
}

} // namespace
} // namespace lodge::daemon
