#include "daemon/records/record.hpp"
#include "tests/fuzz/fuzz.hpp"

// A record beside a volume or an image, which somebody may have changed.
FUZZ_TARGET(record)(const std::uint8_t* data, std::size_t size) {
    using namespace lodge;
    static const secret::SecretBuffer key =
        secret::SecretBuffer::copy_of(std::vector<std::byte>(secret::kSealKeySize)).value();
    // Without a key: no record of format 1 is accepted.
    static const auto provider = storage::make_file_key_provider("/nonexistent/master.key");
    const daemon::RecordKeys keys{.host = &key, .provider = *provider};
    const std::string_view text = test::as_text(data, size);
    // Nobody else can make an authenticator, so nothing but the corpus's own is ever accepted; what
    // is must come out the same.
    if (const auto record = daemon::decode_record(text, keys)) {
        const auto again = daemon::encode_record(*record, key);
        test::must(again && daemon::decode_record(*again, keys).has_value());
    }
    if (const auto made = daemon::decode_template_record(text, keys)) {
        test::must(!made->name.empty());
    }
    return 0;
}
