#include "lib/model/spec_fields.hpp"

#include "lib/base/units.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <utility>

namespace lodge::model {

namespace {

using Spec = ContainerSpec;
using Texts = std::vector<std::string>;

// --- kinds of values: their form in memory, in messages and as people write them ----------------

struct Text {
    static constexpr const char* kWanted = "a text";
    static bool fits(const FieldValue& value) { return std::holds_alternative<std::string>(value); }
    static FieldValue value_of(const std::string& text) { return text; }
    static Status take(std::string& text, const FieldValue& value) {
        text = std::get<std::string>(value);
        return {};
    }
    static Result<FieldValue> parse(const std::string& words) { return words; }
};

// An empty text means "none".
struct TextOrNone : Text {
    static FieldValue value_of(const std::string& text) {
        return text.empty() ? FieldValue() : FieldValue(text);
    }
};

template <typename T, auto kParse>
struct Number {
    using Kept = T;
    static constexpr const char* kWanted = "a whole number that is not negative";
    static bool fits(const FieldValue& value) {
        const auto* number = std::get_if<std::uint64_t>(&value);
        return number != nullptr && *number <= std::numeric_limits<T>::max();
    }
    static FieldValue value_of(T number) { return std::uint64_t{number}; }
    static Status take(T& number, const FieldValue& value) {
        number = static_cast<T>(std::get<std::uint64_t>(value));
        return {};
    }
    static Result<FieldValue> parse(const std::string& words) {
        ASSIGN_OR_RETURN(const auto number, kParse(words));
        return static_cast<std::uint64_t>(number);
    }
};

// A number, or none: no limit.
template <typename Of>
struct Limit {
    static constexpr const char* kWanted = Of::kWanted;
    static constexpr bool kRemovable = true;
    using Kept = std::optional<typename Of::Kept>;
    static bool is_none(const FieldValue& value) {
        return std::holds_alternative<std::monostate>(value);
    }
    static bool fits(const FieldValue& value) { return is_none(value) || Of::fits(value); }
    static FieldValue value_of(const Kept& limit) {
        return limit ? Of::value_of(*limit) : FieldValue();
    }
    static Status take(Kept& limit, const FieldValue& value) {
        limit.reset();
        return is_none(value) ? Status{} : Of::take(limit.emplace(), value);
    }
    static Result<FieldValue> parse(const std::string& words) {
        return words == "none" ? Result<FieldValue>(FieldValue()) : Of::parse(words);
    }
};

// One of some names.
template <auto kParse>
struct Name {
    static constexpr const char* kWanted = Text::kWanted;
    static bool fits(const FieldValue& value) { return Text::fits(value); }
    template <typename E>
    static FieldValue value_of(E value) {
        return std::string(to_string(value));
    }
    template <typename E>
    static FieldValue value_of(const std::optional<E>& value) {
        return value ? value_of(*value) : FieldValue();
    }
    template <typename E>
    static Status take(E& into, const FieldValue& value) {
        ASSIGN_OR_RETURN(into, kParse(std::get<std::string>(value)));
        return {};
    }
    static Result<FieldValue> parse(const std::string& words) {
        RETURN_IF_ERROR(kParse(words));
        return words;
    }
};

struct Lines {
    static constexpr const char* kWanted = "a list of texts";
    static constexpr bool kSeveral = true;
    static bool fits(const FieldValue& value) { return std::holds_alternative<Texts>(value); }
    static FieldValue value_of(const Texts& texts) {
        return texts.empty() ? FieldValue() : FieldValue(texts);
    }
    static Status take(Texts& texts, const FieldValue& value) {
        texts = std::get<Texts>(value);
        return {};
    }
    static Result<FieldValue> parse(const std::string& words) { return Texts{words}; }
};

struct Addresses : Lines {
    static FieldValue value_of(const std::vector<IpAddress>& addresses) {
        Texts texts;
        for (const IpAddress& address : addresses) {
            texts.push_back(address.to_string());
        }
        return Lines::value_of(texts);
    }
    static Status take(std::vector<IpAddress>& addresses, const FieldValue& value) {
        addresses.clear();
        for (const std::string& text : std::get<Texts>(value)) {
            ASSIGN_OR_RETURN(const IpAddress address, IpAddress::parse(text));
            addresses.push_back(address);
        }
        return {};
    }
    static Result<FieldValue> parse(const std::string& words) {
        RETURN_IF_ERROR(IpAddress::parse(words));
        return Texts{words};
    }
};

// Texts by name. New texts are added to those that the field has; an empty text removes its name.
struct NamedTexts {
    using Map = std::map<std::string, std::string>;
    static constexpr const char* kWanted = "an object of texts";
    static constexpr bool kSeveral = true;
    static bool fits(const FieldValue& value) { return std::holds_alternative<Map>(value); }
    static FieldValue value_of(const Map& texts) {
        return texts.empty() ? FieldValue() : FieldValue(texts);
    }
    static Status take(Map& texts, const FieldValue& value) {
        for (const auto& [name, text] : std::get<Map>(value)) {
            if (text.empty()) {
                texts.erase(name);
            } else {
                texts[name] = text;
            }
        }
        return {};
    }
    static Result<FieldValue> parse(const std::string& words) {
        const std::size_t sign = words.find('=');
        if (sign == std::string::npos) {
            return fail(ErrorCode::invalid_argument,
                        "'" + words + "' is no KEY=VALUE; nothing behind the = takes KEY away");
        }
        return Map{{words.substr(0, sign), words.substr(sign + 1)}};
    }
};

// --- numbers as people write them ----------------------------------------------------------------

Result<std::uint32_t> parse_boot_order(const std::string& words) {
    return parse_count(words, "a bootorder");
}

Result<std::uint32_t> parse_restart_limit(const std::string& words) {
    return parse_count(words, "a limit of restarts");
}

Result<std::uint32_t> parse_seconds(const std::string& words) {
    ASSIGN_OR_RETURN(const std::int64_t milliseconds, parse_duration_ms(words));
    if (milliseconds % 1000 != 0) {
        return fail(ErrorCode::invalid_argument,
                    "'" + words + "' is not a number of whole seconds");
    }
    return static_cast<std::uint32_t>(milliseconds / 1000); // it takes a year at most
}

// A suffix is allowed: 4k.
Result<std::uint32_t> parse_pids(const std::string& words) {
    constexpr std::uint64_t kMost = 4'194'304; // the kernel's PID_MAX_LIMIT
    const auto number = parse_size(words);
    if (!number || *number > kMost) {
        return fail(ErrorCode::invalid_argument,
                    "'" + words + "' is not a number of processes; `none` is without a limit");
    }
    return static_cast<std::uint32_t>(*number);
}

using Size = Number<std::uint64_t, parse_size>;
using Seconds = Number<std::uint32_t, parse_seconds>;

template <typename Kind, typename Access>
constexpr SpecField field(SpecField described, Access) {
    described.wanted = Kind::kWanted;
    described.removable = requires { Kind::kRemovable; };
    described.several = requires { Kind::kSeveral; };
    described.fits = [](const FieldValue& value) { return Kind::fits(value); };
    described.value_of = [](const Spec& spec) -> FieldValue {
        return Kind::value_of(Access{}(spec));
    };
    described.take = [](Spec& spec, const FieldValue& value) -> Status {
        return Kind::take(Access{}(spec), value);
    };
    described.parse = [](const std::string& words) -> Result<FieldValue> {
        return Kind::parse(words);
    };
    return described;
}

constexpr std::array kFields{
    field<Text>({.key = "name",
                 .word = "name",
                 .option = nullptr,
                 .help = "A DNS label",
                 .initially = nullptr,
                 .counts = Counts::at_creation},
                [](auto& spec) -> auto& { return spec.name; }),
    field<Text>({.key = "template",
                 .word = "template",
                 .option = "--template,--ostemplate",
                 .help = "Template to make it from",
                 .initially = nullptr,
                 .counts = Counts::at_creation},
                [](auto& spec) -> auto& { return spec.template_name; }),
    field<TextOrNone>({.key = "hostname",
                       .word = "hostname",
                       .option = "--hostname",
                       .help = "Host name inside",
                       .initially = "NAME",
                       .counts = Counts::at_next_start},
                      [](auto& spec) -> auto& { return spec.hostname; }),
    field<Size>({.key = "disk_bytes",
                 .word = "disk",
                 .option = "--disk,--diskspace",
                 .help = "Size of its disk, such as 10G",
                 .initially = "2G",
                 .counts = Counts::at_creation},
                [](auto& spec) -> auto& { return spec.disk_bytes; }),
    field<Name<parse_rootfs>>({.key = "rootfs",
                               .word = "rootfs",
                               .option = "--rootfs",
                               .help = "shared or private",
                               .initially = "shared",
                               .counts = Counts::at_creation},
                              [](auto& spec) -> auto& { return spec.rootfs; }),
    field<Name<parse_encryption>>({.key = "encryption",
                                   .word = "encryption",
                                   .option = "--encryption",
                                   .help = "luks2, fscrypt or none",
                                   .initially = "the best there is",
                                   .counts = Counts::at_creation},
                                  [](auto& spec) -> auto& { return spec.encryption; }),
    field<Limit<Size>>({.key = "memory_bytes",
                        .word = "memory",
                        .option = "--memory,--ram",
                        .help = "Memory limit, such as 512M",
                        .initially = "none",
                        .counts = Counts::at_once},
                       [](auto& spec) -> auto& { return spec.resources.memory_bytes; }),
    field<Limit<Number<std::uint32_t, parse_cpus>>>(
        {.key = "cpu_millis",
         .word = "cpus",
         .option = "--cpus",
         .help = "CPU limit, such as 1.5",
         .initially = "none",
         .counts = Counts::at_once},
        [](auto& spec) -> auto& { return spec.resources.cpu_millis; }),
    field<Limit<Number<std::uint32_t, parse_pids>>>(
        {.key = "pids",
         .word = "pids",
         .option = "--pids",
         .help = "Limit of processes",
         .initially = "4096",
         .counts = Counts::at_once},
        [](auto& spec) -> auto& { return spec.resources.pids; }),
    field<Addresses>({.key = "addresses",
                      .word = "addresses",
                      .option = "--ip,--ipadd",
                      .help = "Address, one per family",
                      .initially = "from the pool",
                      .counts = Counts::at_creation},
                     [](auto& spec) -> auto& { return spec.addresses; }),
    field<Lines>({.key = "ssh_keys",
                  .word = "ssh_keys",
                  .option = nullptr,
                  .help = "Public key for root",
                  .initially = nullptr,
                  .counts = Counts::at_creation},
                 [](auto& spec) -> auto& { return spec.ssh_keys; }),
    field<Name<parse_onboot>>({.key = "onboot",
                               .word = "onboot",
                               .option = "--onboot",
                               .help = "Start it with the host: yes, no, or auto (when it ran)",
                               .initially = "auto",
                               .counts = Counts::at_once},
                              [](auto& spec) -> auto& { return spec.boot.onboot; }),
    field<Number<std::uint32_t, parse_boot_order>>(
        {.key = "bootorder",
         .word = "bootorder",
         .option = "--bootorder",
         .help = "The higher the earlier, 0 to 9999",
         .initially = "0",
         .counts = Counts::at_once},
        [](auto& spec) -> auto& { return spec.boot.order; }),
    field<Seconds>({.key = "boot_delay_seconds",
                    .word = "boot_delay",
                    .option = "--boot-delay",
                    .help = "How long those behind it wait, such as 10s",
                    .initially = "0",
                    .counts = Counts::at_once},
                   [](auto& spec) -> auto& { return spec.boot.delay_seconds; }),
    field<Name<parse_restart>>({.key = "restart",
                                .word = "restart",
                                .option = "--restart",
                                .help = "When its init ends by itself: no, on-failure or always",
                                .initially = "no",
                                .counts = Counts::at_once},
                               [](auto& spec) -> auto& { return spec.restart.when; }),
    field<Number<std::uint32_t, parse_restart_limit>>(
        {.key = "restart_limit",
         .word = "restart_limit",
         .option = "--restart-limit",
         .help = "Most restarts in a row; 0: no limit",
         .initially = "0",
         .counts = Counts::at_once},
        [](auto& spec) -> auto& { return spec.restart.limit; }),
    field<Seconds>({.key = "restart_backoff_seconds",
                    .word = "restart_backoff",
                    .option = "--restart-backoff",
                    .help = "Wait before the first restart; doubles with each in a row",
                    .initially = "1s",
                    .counts = Counts::at_once},
                   [](auto& spec) -> auto& { return spec.restart.backoff_seconds; }),
    field<Name<parse_protection>>({.key = "protect",
                                   .word = "protect",
                                   .option = "--protect",
                                   .help = "Refuse to destroy it: yes or no",
                                   .initially = "no",
                                   .counts = Counts::at_once},
                                  [](auto& spec) -> auto& { return spec.protect; }),
    field<TextOrNone>({.key = "description",
                       .word = "description",
                       .option = "--description",
                       .help = "A line about it, for people",
                       .initially = nullptr,
                       .counts = Counts::at_once},
                      [](auto& spec) -> auto& { return spec.description; }),
    field<NamedTexts>({.key = "labels",
                       .word = "labels",
                       .option = "--label",
                       .help = "KEY=VALUE to find it by; KEY= takes it away",
                       .initially = nullptr,
                       .counts = Counts::at_once},
                      [](auto& spec) -> auto& { return spec.labels; }),
};

} // namespace

std::span<const SpecField> spec_fields() {
    return kFields;
}

const SpecField* find_field(std::string_view key) {
    const auto found = std::ranges::find(kFields, key, &SpecField::key);
    return found == kFields.end() ? nullptr : &*found;
}

Status put(ContainerSpec& spec, const SpecField& field, const FieldValue& value) {
    if (!field.fits(value)) {
        return fail(ErrorCode::invalid_argument,
                    std::string("'") + field.key + "' must be " + field.wanted);
    }
    return field.take(spec, value);
}

} // namespace lodge::model
