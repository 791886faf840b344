#include "lib/base/units.hpp"
#include "lib/base/uuid.hpp"
#include "lib/model/address.hpp"
#include "tests/fuzz/fuzz.hpp"

// What is read and written again must be the same value.
FUZZ_TARGET(scalars)(const std::uint8_t* data, std::size_t size) {
    using lodge::test::must;
    const std::string_view text = lodge::test::as_text(data, size);
    if (const auto bytes = lodge::parse_size(text)) {
        must(lodge::parse_size(lodge::format_size(*bytes)) == *bytes);
    }
    if (const auto millis = lodge::parse_cpus(text)) {
        must(lodge::parse_cpus(lodge::format_cpus(*millis)) == *millis);
    }
    if (const auto duration = lodge::parse_duration_ms(text)) {
        must(*duration >= 0);
    }
    if (const auto uuid = lodge::Uuid::parse(text)) {
        must(lodge::Uuid::parse(uuid->to_string()) == *uuid);
    }
    if (const auto address = lodge::model::IpAddress::parse(text)) {
        must(lodge::model::IpAddress::parse(address->to_string()) == *address);
    }
    if (const auto cidr = lodge::model::CidrAddress::parse(text)) {
        must(lodge::model::CidrAddress::parse(cidr->to_string()) == *cidr);
        must(cidr->contains(cidr->address) && cidr->contains(cidr->network()));
    }
    return 0;
}
