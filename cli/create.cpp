#include "cli/difference.hpp"
#include "cli/files.hpp"
#include "cli/hints.hpp"
#include "cli/output.hpp"
#include "cli/spec_options.hpp"
#include "cli/starting.hpp"
#include "cli/words.hpp"
#include "lib/api/json.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/privileges.hpp"
#include "lib/model/container.hpp"
#include "lib/model/judge.hpp"
#include "lib/secret/secret_buffer.hpp"
#include "lib/yaml/yaml.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include <string.h>
#include <unistd.h>

namespace lodge::cli {

namespace {

struct CreateOptions {
    std::string name;
    std::string spec_file;
    SpecOptions fields;
    std::vector<std::string> ssh_key_files;
    bool password_stdin = false;
    bool start = false;
    std::string wait;
    bool if_absent = false;
};

// Editors and shells of Windows write U+FEFF, in UTF-8, at the beginning of a text.
std::size_t size_of_byte_order_mark(std::string_view text) {
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    return text.starts_with(kMark) ? kMark.size() : 0;
}

constexpr const char* kSshKey = "create --ssh-key";

Status read_key_file(const std::string& path, std::vector<std::string>& keys) {
    constexpr std::size_t kLongest = std::size_t{256} << 10;
    ASSIGN_OR_RETURN(const std::string text, read_named_file(kSshKey, path, kLongest));
    if (text.find("PRIVATE KEY") != std::string::npos) {
        return fail(ErrorCode::invalid_argument,
                    std::string(kSshKey) + ": '" + path +
                        "' is a private key, which must stay with its owner; give the .pub file");
    }
    std::size_t taken = 0;
    for (std::size_t start = size_of_byte_order_mark(text); start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        std::string line = text.substr(start, end - start);
        start = end + 1;
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (const Status valid = model::validate_ssh_public_key(line); !valid) {
            return fail(valid.error().code(),
                        std::string(kSshKey) + ": '" + path + "': " + valid.error().message());
        }
        keys.push_back(std::move(line));
        ++taken;
    }
    return taken > 0 ? Status{}
                     : fail(ErrorCode::invalid_argument,
                            std::string(kSshKey) + ": '" + path + "' has no public key in it");
}

// The requested spec, built value by value.
struct AskedSpec {
    model::ContainerSpec spec;
    std::set<const char*> given;  ///< keys of the fields that were given
    std::set<const char*> lifted; ///< limits given as "none": some have a default

    // Adds the texts of a field of several texts to those already given. For another field the last
    // value counts.
    Status take(const model::SpecField& field, model::FieldValue value) {
        given.insert(field.key);
        if (auto* texts = std::get_if<std::vector<std::string>>(&value)) {
            const model::FieldValue before = field.value_of(spec);
            if (const auto* earlier = std::get_if<std::vector<std::string>>(&before)) {
                texts->insert(texts->begin(), earlier->begin(), earlier->end());
            }
            return model::put(spec, field, value);
        }
        if (std::holds_alternative<std::monostate>(value)) {
            lifted.insert(field.key);
        } else {
            lifted.erase(field.key);
        }
        return model::put(spec, field, value);
    }
    // The fields that were given.
    [[nodiscard]] nlohmann::json given_to_json() const {
        nlohmann::json asked = nlohmann::json::object();
        for (const char* key : given) {
            asked[key] = api::to_json(model::find_field(key)->value_of(spec));
        }
        return asked;
    }
    [[nodiscard]] nlohmann::json to_json() const {
        nlohmann::json request = api::to_json(spec);
        for (const char* key : lifted) {
            request[key] = nullptr;
        }
        return request;
    }
};

// The setter for a field in a specification file. An error gets the line.
yaml::Setter setter_of(AskedSpec& asked, const model::SpecField& field) {
    return [&asked, &field](const yaml::Node& node) -> Status {
        std::vector<std::string> texts;
        RETURN_IF_ERROR(!field.several ? yaml::text(texts.emplace_back())(node)
                        : node.kind == yaml::Node::Kind::mapping ? yaml::pairs(texts)(node)
                                                                 : yaml::text_list(texts)(node));
        for (const std::string& words : texts) {
            auto value = field.parse(words);
            Status taken =
                value ? model::judge(field, *value) : Status(std::unexpected<Error>(value.error()));
            if (taken) {
                taken = asked.take(field, std::move(*value));
            }
            if (!taken) {
                return yaml::refuse(node, taken.error().message());
            }
        }
        return {};
    };
}

Status read_spec_file(const std::string& path, AskedSpec& asked) {
    if (path.empty()) {
        return {};
    }
    constexpr std::size_t kLongest = std::size_t{1} << 20;
    constexpr const char* kOption = "create --spec";
    ASSIGN_OR_RETURN(const std::string text, read_named_file(kOption, path, kLongest));
    ASSIGN_OR_RETURN(const yaml::Node root, of_option(yaml::parse(text, path), kOption));
    std::map<std::string, yaml::Setter> keys;
    for (const model::SpecField& field : model::spec_fields()) {
        keys.emplace(field.word, setter_of(asked, field));
    }
    return of_option(yaml::read_mapping(root, keys), kOption);
}

// A missing name or template gets an error of its own, not that of an empty value.
Status check_given(const Globals& globals, const model::ContainerSpec& spec) {
    if (spec.name.empty()) {
        return fail(ErrorCode::invalid_argument, "create: NAME is required");
    }
    if (spec.template_name.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "create: --template is required" + there_are(globals, "/v1/templates"));
    }
    return {};
}

// Options override the file.
Result<AskedSpec> make_spec(const Globals& globals, const CreateOptions& options) {
    AskedSpec asked;
    RETURN_IF_ERROR(read_spec_file(options.spec_file, asked));
    if (!options.name.empty()) {
        RETURN_IF_ERROR(of_option(model::validate_name(options.name), "create NAME"));
        asked.spec.name = options.name;
    }
    RETURN_IF_ERROR(
        options.fields.each_given([&](const model::SpecField& field, model::FieldValue value) {
            return asked.take(field, std::move(value));
        }));
    for (const std::string& file : options.ssh_key_files) {
        RETURN_IF_ERROR(read_key_file(file, asked.spec.ssh_keys));
    }
    RETURN_IF_ERROR(check_given(globals, asked.spec));
    RETURN_IF_ERROR(model::validate(asked.spec));
    return asked;
}

// One line, with any line end.
Result<secret::SecretBuffer> password_in(std::span<char> text) {
    text = text.subspan(size_of_byte_order_mark({text.data(), text.size()}));
    for (const char end : {'\n', '\r'}) {
        if (!text.empty() && text.back() == end) {
            text = text.first(text.size() - 1);
        }
    }
    if (text.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "create --password-stdin: no password came on stdin");
    }
    return secret::SecretBuffer::copy_of(std::as_bytes(text));
}

Result<secret::SecretBuffer> read_password() {
    RETURN_IF_ERROR(kernel::forbid_tracing()); // neither a core dump nor a debugger is to show it
    ASSIGN_OR_RETURN(std::string text, kernel::read_all(STDIN_FILENO, 1024));
    auto password = password_in(text);
    secret::wipe(std::as_writable_bytes(std::span(text)));
    return password;
}

// Whether the container exists. An error when it exists and differs from the request.
Result<bool> is_there(const Globals& globals, const AskedSpec& asked) {
    const std::string& name = asked.spec.name;
    const auto text = globals.client().call("GET", container_path(name));
    if (!text && text.error().code() == ErrorCode::not_found) {
        return false;
    }
    RETURN_IF_ERROR(text);
    ASSIGN_OR_RETURN(const auto container, parse_answer(*text));
    const std::string differs = difference(asked.given_to_json(), container);
    return differs.empty() ? Result<bool>(true)
                           : fail(ErrorCode::already_exists,
                                  "'" + name + "' exists and is another: " + differs);
}

Status make(const Globals& globals, const CreateOptions& options, const AskedSpec& asked) {
    nlohmann::json request = asked.to_json();
    request["start"] = options.start || !options.wait.empty();
    if (options.password_stdin) {
        ASSIGN_OR_RETURN(const secret::SecretBuffer password, read_password());
        ASSIGN_OR_RETURN(request["root_password_hash"], secret::hash_password(password));
    }
    RETURN_IF_ERROR(run_operation(globals, "POST", "/v1/containers", request.dump()));
    return {};
}

// --start also starts a container that exists already.
Status
make_unless_there(const Globals& globals, const CreateOptions& options, const AskedSpec& asked) {
    ASSIGN_OR_RETURN(bool there, is_there(globals, asked));
    if (!there) {
        Status made = make(globals, options, asked);
        if (made || made.error().code() != ErrorCode::already_exists) {
            return made;
        }
        ASSIGN_OR_RETURN(there, is_there(globals, asked)); // made by another client meanwhile
        if (!there) {
            return made; // another object exists, such as its address
        }
    }
    if (options.start || !options.wait.empty()) {
        RETURN_IF_ERROR(start_if_needed(globals, asked.spec.name));
    }
    return {};
}

Result<int> create(const Globals& globals, const CreateOptions& options) {
    RETURN_IF_ERROR(check_awaited(options.wait, "create"));
    ASSIGN_OR_RETURN(const AskedSpec asked, make_spec(globals, options));
    const model::ContainerSpec& spec = asked.spec;
    RETURN_IF_ERROR(options.if_absent ? make_unless_there(globals, options, asked)
                                      : make(globals, options, asked));
    RETURN_IF_ERROR(await(globals, spec.name, options.wait));
    ASSIGN_OR_RETURN(const std::string text,
                     of_same_daemon(globals.client().call("GET", container_path(spec.name))));
    ASSIGN_OR_RETURN(const auto info, parse_answer(text));
    if (globals.json) {
        print_json(info);
    }
    confirm(globals,
            "'" + spec.name + "' is " + info.value("state", "") + " (" +
                info.value("encryption", "") + ")");
    return 0;
}

} // namespace

void add_create_command(const Registry& registry) {
    const auto options = std::make_shared<CreateOptions>();
    const Globals& globals = registry.globals;
    CLI::App* command =
        registry.add(registry.app, "create", "Make a container", [&globals, options] {
            return create(globals, *options);
        });
    command->add_option("NAME", options->name, "A DNS label");
    of_bytes(command->add_option(
                 "--spec", options->spec_file, "YAML file with the same keys; flags win"),
             "PATH");
    options->fields.add_to(*command, SpecOptions::For::create);
    of_bytes(add_list(*command,
                      "--ssh-key",
                      options->ssh_key_files,
                      "File with public keys for root; may be repeated"),
             "PATH");
    command->add_flag(
        "--password-stdin", options->password_stdin, "Read root's password from stdin");
    command->add_flag("--if-absent",
                      options->if_absent,
                      "It is no error that it exists, if it is as is asked for here");
    command->add_flag("--start", options->start, "Start it");
    command->add_option("--wait", options->wait, "Start it and wait until it is running or ready");
}

} // namespace lodge::cli
