#include "templates/definition.hpp"
#include "tests/fuzz/fuzz.hpp"

// A template definition that an operator wrote or downloaded.
FUZZ_TARGET(definition)(const std::uint8_t* data, std::size_t size) {
    const auto definition =
        lodge::templates::parse_definition(lodge::test::as_text(data, size), "fuzz.yaml");
    if (definition) {
        lodge::test::must(!definition->name.empty() && !definition->init.empty());
        for (const lodge::templates::DefinedFile& file : definition->files) {
            lodge::test::must(file.path.starts_with('/'));
        }
    }
    return 0;
}
