#include "lib/model/address.hpp"
#include "lib/model/change.hpp"
#include "lib/model/container.hpp"
#include "lib/model/verb.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

namespace lodge::model {
namespace {

constexpr const char* kGoodKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJVUmV1eDHLxTXYfQ8Gl1KS1WWLqKVzXxTzZ9pDhkdJx me@here";

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
    EXPECT_EQ(IpAddress::parse("10.0.0.1").value().to_string(), "10.0.0.1");
    EXPECT_EQ(IpAddress::parse("fd00:0:0::1").value().to_string(), "fd00::1");
    for (const char* text :
         {"", "10.0.0", "10.0.0.256", "fe80::1%eth0", "[::1]", "10.0.0.1/24", "x"}) {
        EXPECT_FALSE(IpAddress::parse(text).has_value()) << text;
    }
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)).has_value());
}

TEST(IpAddress, AddsAcrossBytes) {
    EXPECT_EQ(IpAddress::parse("10.0.0.255").value().plus(1).to_string(), "10.0.1.0");
    EXPECT_EQ(IpAddress::parse("fd00::ffff:ffff").value().plus(2).to_string(), "fd00::1:0:1");
}

TEST(CidrAddress, KnowsItsNetwork) {
    const auto cidr = CidrAddress::parse("10.77.3.9/20").value();
    EXPECT_EQ(cidr.network().to_string(), "10.77.0.0");
    EXPECT_TRUE(cidr.contains(IpAddress::parse("10.77.15.255").value()));
    EXPECT_FALSE(cidr.contains(IpAddress::parse("10.77.16.0").value()));
    EXPECT_FALSE(cidr.contains(IpAddress::parse("fd00::1").value()));
    EXPECT_EQ(CidrAddress::parse("fd00:1:2:3:4::5/64").value().network().to_string(),
              "fd00:1:2:3::");
    for (const char* text :
         {"10.0.0.1", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/-1", "::/129", "/8"}) {
        EXPECT_FALSE(CidrAddress::parse(text).has_value()) << text;
    }
}

TEST(ContainerName, IsADnsLabel) {
    for (const std::string& name : {std::string("a"), std::string("web-1"), std::string(63, 'x')}) {
        EXPECT_TRUE(validate_name(name).has_value()) << name;
    }
    for (const std::string& name : {std::string(),
                                    std::string("-a"),
                                    std::string("a-"),
                                    std::string("A"),
                                    std::string("a.b"),
                                    std::string("a_b"),
                                    std::string("../x"),
                                    std::string(64, 'x')}) {
        EXPECT_FALSE(validate_name(name).has_value()) << name;
    }
}

TEST(HostName, IsLabelsWithDots) {
    EXPECT_TRUE(validate_hostname("web1.example.org").has_value());
    for (const std::string& name : {std::string("a..b"),
                                    std::string(".a"),
                                    std::string("a."),
                                    std::string("a b"),
                                    std::string(65, 'x')}) {
        EXPECT_FALSE(validate_hostname(name).has_value()) << name;
    }
}

TEST(SshKey, TakesAPublicKeyLine) {
    EXPECT_TRUE(validate_ssh_public_key(kGoodKey).has_value());
}

TEST(SshKey, RefusesWhatIsNoPublicKey) {
    for (const std::string& line : {
             std::string(),
             std::string("ssh-ed25519"),
             std::string("ssh-ed25519 !!!!"),
             std::string("ssh-dss AAAAB3NzaC1kc3M="),
             std::string(
                 "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJVUmV1eDHLxTXYfQ8Gl1KS1WWLqKVzXxTzZ9pDhkdJx"),
             std::string(kGoodKey) + "\nssh-rsa x",
             "command=\"x\" " + std::string(kGoodKey),
         }) {
        EXPECT_FALSE(validate_ssh_public_key(line).has_value()) << line;
    }
}

TEST(SshKey, NamesAPrivateKeyAndDoesNotQuoteIt) {
    const auto status = validate_ssh_public_key("-----BEGIN OPENSSH PRIVATE KEY-----SECRETSECRET");
    ASSERT_FALSE(status.has_value());
    EXPECT_NE(status.error().message().find("private key"), std::string::npos);
    EXPECT_EQ(status.error().message().find("SECRETSECRET"), std::string::npos);
}

ContainerSpec good_spec() {
    ContainerSpec spec;
    spec.name = "web1";
    spec.template_name = "debian-12";
    return spec;
}

TEST(ContainerSpec, IsJudgedAsAWhole) {
    EXPECT_TRUE(validate(good_spec()).has_value());
    ContainerSpec small = good_spec();
    small.disk_bytes = kSmallestDisk - 1;
    EXPECT_EQ(validate(small).error().code(), ErrorCode::invalid_argument);
    ContainerSpec hungry = good_spec();
    hungry.resources.memory_bytes = 1;
    EXPECT_FALSE(validate(hungry).has_value());
    ContainerSpec twice = good_spec();
    twice.addresses = {IpAddress::parse("10.0.0.1").value(), IpAddress::parse("10.0.0.2").value()};
    EXPECT_FALSE(validate(twice).has_value());
    ContainerSpec strange = good_spec();
    strange.template_name = "../etc";
    EXPECT_FALSE(validate(strange).has_value());
}

TEST(ContainerSpec, TakesLabelsAndDescriptionsOfOneLine) {
    const auto judged = [](const std::map<std::string, std::string>& labels) {
        ContainerSpec spec = good_spec();
        spec.labels = labels;
        return validate(spec).has_value();
    };
    EXPECT_TRUE(judged(
        {{"a", ""}, {std::string(63, 'k'), std::string(255, 'v')}, {"A-1/b_c.d", "\u00fc"}}));
    for (const char* key : {"", "a b", "a=b", "\u00fc", "a\n"}) {
        EXPECT_FALSE(judged({{key, "v"}})) << key;
    }
    EXPECT_FALSE(judged({{std::string(64, 'k'), "v"}}));
    EXPECT_FALSE(judged({{"k", std::string(256, 'v')}}));
    EXPECT_FALSE(judged({{"k", "two\nlines"}}));
    std::map<std::string, std::string> many;
    for (int i = 0; i < 65; ++i) {
        many["k" + std::to_string(i)] = "v";
    }
    EXPECT_FALSE(judged(many));
    many.erase("k0");
    EXPECT_TRUE(judged(many));
    ContainerSpec described = good_spec();
    described.description = std::string(1024, 'd');
    EXPECT_TRUE(validate(described).has_value());
    described.description += 'd';
    EXPECT_FALSE(validate(described).has_value());
    described.description = "\x1b[2J";
    EXPECT_FALSE(validate(described).has_value());
}

TEST(SpecChange, PutsLabelsToThoseThatAreThere) {
    using Labels = std::map<std::string, std::string>;
    ContainerSpec spec = good_spec();
    spec.labels = {{"tier", "gold"}, {"old", "yes"}};
    SpecChange change;
    ASSERT_TRUE(add(change, "labels", Labels{{"tier", "silver"}}));
    ASSERT_TRUE(add(change, "labels", Labels{{"old", ""}, {"new", "1"}}));
    EXPECT_EQ(model::apply(spec, change)->labels, (Labels{{"tier", "silver"}, {"new", "1"}}));
}

TEST(Names, GoThereAndBack) {
    for (const char* text : {"luks2", "fscrypt", "none"}) {
        EXPECT_EQ(to_string(parse_encryption(text).value()), text);
    }
    for (const char* text : {"shared", "private"}) {
        EXPECT_EQ(to_string(parse_rootfs(text).value()), text);
    }
    for (const State state : kStates) {
        EXPECT_EQ(parse_state(to_string(state)).value(), state);
    }
    EXPECT_FALSE(parse_encryption("aes").has_value());
}

TEST(SpecChange, ChangesWhatItNames) {
    ContainerSpec spec = good_spec();
    spec.hostname = "old";
    spec.resources = {.memory_bytes = std::uint64_t{64} << 20, .cpu_millis = 500};
    const SpecChange change{{"memory_bytes", {}}, {"pids", std::uint64_t{40}}};
    const ContainerSpec after = apply(spec, change).value();
    EXPECT_EQ(after.resources, (Resources{.cpu_millis = 500, .pids = 40}));
    EXPECT_EQ(after.hostname, "old");
    EXPECT_EQ(limits_asked(change), (Resources{.pids = 40}));
    EXPECT_EQ(apply(spec, {{"hostname", "new"}})->hostname, "new");
    EXPECT_EQ(apply(spec, {{"hostname", ""}})->hostname, "web1");
}

TEST(SpecChange, IsRefusedWhenItIsEmptyOrMakesABadSpec) {
    const auto code = [](const SpecChange& change) {
        const auto changed = apply(good_spec(), change);
        return changed ? ErrorCode::internal : changed.error().code();
    };
    EXPECT_EQ(code({}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({{"memory_bytes", kSmallestMemory - 1}}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({{"cpu_millis", std::uint64_t{kSmallestCpuMillis - 1}}}),
              ErrorCode::invalid_argument);
    EXPECT_EQ(code({{"pids", std::uint64_t{15}}}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({{"hostname", "a b"}}), ErrorCode::invalid_argument);
}

// Every cell of the table, written down a second time.
TEST(VerbTable, SaysWhatEachStateAllows) {
    const std::map<Verb, std::string> expected{
        {Verb::start, "y---"},
        {Verb::stop, "-yyy"},
        {Verb::restart, "yyy-"},
        {Verb::kill, "-yy-"},
        {Verb::freeze, "-y--"},
        {Verb::thaw, "--y-"},
        {Verb::set, "yyyy"},
        {Verb::destroy, "y--y"},
        {Verb::exec, "-y--"},
        {Verb::console, "-yy-"},
    };
    ASSERT_EQ(expected.size(), kVerbs.size());
    for (const Verb verb : kVerbs) {
        std::string cells;
        for (const State state : kStates) {
            const Status status = allowed(verb, state, "web1");
            cells += status ? 'y' : '-';
            if (!status) {
                EXPECT_EQ(status.error().code(), ErrorCode::invalid_state);
                EXPECT_NE(status.error().message().find("'web1'"), std::string::npos);
            }
        }
        EXPECT_EQ(cells, expected.at(verb)) << to_string(verb);
    }
}

} // namespace
} // namespace lodge::model
