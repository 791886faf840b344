#include "lib/api/json.hpp"
#include "lib/secret/secret_buffer.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

// What a client sends with a create, and what a daemon of another release answers.
FUZZ_TARGET(spec_json)(const std::uint8_t* data, std::size_t size) {
    using lodge::test::must;
    const std::string_view text = lodge::test::as_text(data, size);
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_discarded()) {
        if (const auto spec = lodge::api::spec_from_json(json)) {
            const auto again = lodge::api::spec_from_json(lodge::api::to_json(*spec));
            must(again.has_value() && lodge::api::to_json(*again) == lodge::api::to_json(*spec));
        }
    }
    (void)lodge::api::error_from_json(text);
    const std::string hash(text);
    if (lodge::secret::check_password_hash(hash)) {
        must(hash.find_first_of(std::string(":\n\0", 3)) == std::string::npos);
    }
    return 0;
}
