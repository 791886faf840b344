#include "templates/apt_sources.hpp"
#include "tests/fuzz/fuzz.hpp"

// The host's apt configuration, whatever somebody made of it.
FUZZ_TARGET(apt_sources)(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = lodge::test::as_text(data, size);
    for (const auto& sources : {lodge::templates::parse_sources_list(text),
                                lodge::templates::parse_deb822_sources(text)}) {
        (void)lodge::templates::sources_for_suite(sources, "bookworm", "trixie");
    }
    return 0;
}
