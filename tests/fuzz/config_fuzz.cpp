#include "daemon/config.hpp"
#include "tests/fuzz/fuzz.hpp"

// The daemon's configuration file.
FUZZ_TARGET(config)(const std::uint8_t* data, std::size_t size) {
    lodge::daemon::Settings settings;
    if (lodge::daemon::apply_config(lodge::test::as_text(data, size), "fuzz.yaml", settings)) {
        for (const auto& pool : settings.pools) {
            lodge::test::must(!pool.to_string().empty());
        }
    }
    return 0;
}
