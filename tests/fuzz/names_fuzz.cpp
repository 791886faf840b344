#include "lib/model/container.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

// Names become paths, links and host names; keys become lines of a tenant's authorized_keys.
FUZZ_TARGET(names)(const std::uint8_t* data, std::size_t size) {
    using lodge::test::must;
    const std::string_view text = lodge::test::as_text(data, size);
    const auto has = [&](char c) { return text.find(c) != std::string_view::npos; };
    if (lodge::model::validate_name(text)) {
        must(!text.empty() && text.size() <= 63 && !has('/') && !has('.') && !has('\0'));
    }
    if (lodge::model::validate_hostname(text)) {
        must(!text.empty() && text.size() <= 64 && !has('/') && !has('\n') && !has('\0'));
    }
    if (lodge::model::validate_ssh_public_key(text)) {
        must(std::none_of(text.begin(), text.end(), [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        }));
    }
    if (const auto encryption = lodge::model::parse_encryption(text)) {
        must(lodge::model::to_string(*encryption) == text);
    }
    if (const auto rootfs = lodge::model::parse_rootfs(text)) {
        must(lodge::model::to_string(*rootfs) == text);
    }
    return 0;
}
