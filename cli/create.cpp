#include "cli/flags.hpp"
#include "cli/limits.hpp"
#include "cli/output.hpp"
#include "cli/policy_options.hpp"
#include "cli/words.hpp"
#include "lib/api/json.hpp"
#include "lib/base/units.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/privileges.hpp"
#include "lib/model/container.hpp"
#include "lib/secret/secret_buffer.hpp"
#include "lib/yaml/yaml.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include <string.h>
#include <unistd.h>

namespace lodge::cli {

namespace {

struct CreateOptions {
    std::string name;
    std::string spec_file;
    std::string template_name;
    std::string disk;
    std::string memory;
    std::string cpus;
    std::string pids;
    std::vector<std::string> ssh_key_files;
    bool password_stdin = false;
    std::string hostname;
    std::vector<std::string> addresses;
    std::string encryption;
    std::string rootfs;
    PolicyOptions policies;
    bool start = false;
    std::string wait;
};

// What Windows' editors and shells put in front of a text: U+FEFF in UTF-8.
std::size_t size_of_byte_order_mark(std::string_view text) {
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    return text.starts_with(kMark) ? kMark.size() : 0;
}

Status read_key_file(const std::string& path, std::vector<std::string>& keys) {
    constexpr std::size_t kLongest = std::size_t{256} << 10;
    auto text = kernel::read_file(path, kLongest);
    if (!text) {
        return std::unexpected<Error>(
            Error(ErrorCode::invalid_argument,
                  "the ssh key file '" + path + "' cannot be read: " + text.error().message()));
    }
    if (text->find("PRIVATE KEY") != std::string::npos) {
        return fail(ErrorCode::invalid_argument,
                    "'" + path +
                        "' is a private key, which must stay with its owner; give the .pub file");
    }
    std::size_t taken = 0;
    for (std::size_t start = size_of_byte_order_mark(*text); start < text->size();) {
        const std::size_t end = std::min(text->find('\n', start), text->size());
        std::string line = text->substr(start, end - start);
        start = end + 1;
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (const Status valid = model::validate_ssh_public_key(line); !valid) {
            return fail(valid.error().code(), "'" + path + "': " + valid.error().message());
        }
        keys.push_back(std::move(line));
        ++taken;
    }
    return taken > 0 ? Status{}
                     : fail(ErrorCode::invalid_argument, "'" + path + "' has no public key in it");
}

Result<std::uint64_t> size_of(const std::string& words) {
    return parse_size(words);
}

std::map<std::string, yaml::Setter> policy_keys(model::ContainerSpec& spec) {
    const auto number = [](const char* what) {
        return [what](const std::string& w) { return parse_number(w, what); };
    };
    return {{"onboot",
             yaml::parsed(spec.boot.onboot,
                          [](const std::string& w) { return model::parse_onboot(w); })},
            {"bootorder", yaml::parsed(spec.boot.order, number("a bootorder"))},
            {"boot_delay", yaml::parsed(spec.boot.delay_seconds, parse_seconds)},
            {"restart",
             yaml::parsed(spec.restart.when,
                          [](const std::string& w) { return model::parse_restart(w); })},
            {"restart_limit", yaml::parsed(spec.restart.limit, number("a limit of restarts"))},
            {"restart_backoff", yaml::parsed(spec.restart.backoff_seconds, parse_seconds)}};
}

Status read_spec_file(const std::string& path, model::ContainerSpec& spec) {
    if (path.empty()) {
        return {};
    }
    constexpr std::size_t kLongest = std::size_t{1} << 20;
    const auto text = kernel::read_file(path, kLongest);
    if (!text) {
        return fail(ErrorCode::invalid_argument,
                    "the file '" + path + "' cannot be read: " + text.error().message());
    }
    ASSIGN_OR_RETURN(const yaml::Node root, yaml::parse(*text, path));
    std::vector<std::string> addresses;
    std::map<std::string, yaml::Setter> keys = policy_keys(spec);
    keys.insert(
        {{"name", yaml::text(spec.name)},
         {"template", yaml::text(spec.template_name)},
         {"hostname", yaml::text(spec.hostname)},
         {"disk", yaml::parsed(spec.disk_bytes, size_of)},
         {"memory", yaml::parsed(spec.resources.memory_bytes, size_of)},
         {"cpus",
          yaml::parsed(spec.resources.cpu_millis,
                       [](const std::string& w) { return parse_cpus(w); })},
         {"pids", yaml::parsed(spec.resources.pids, parse_pids_or_none)},
         {"encryption",
          yaml::parsed(spec.encryption,
                       [](const std::string& w) { return model::parse_encryption(w); })},
         {"rootfs",
          yaml::parsed(spec.rootfs, [](const std::string& w) { return model::parse_rootfs(w); })},
         {"addresses", yaml::text_list(addresses)},
         {"ssh_keys", yaml::text_list(spec.ssh_keys)}});
    RETURN_IF_ERROR(yaml::read_mapping(root, keys));
    for (const std::string& address : addresses) {
        ASSIGN_OR_RETURN(const auto parsed, model::IpAddress::parse(address));
        spec.addresses.push_back(parsed);
    }
    return {};
}

Status take_resources(const CreateOptions& options, model::Resources& resources) {
    RETURN_IF_ERROR(take(options.memory, resources.memory_bytes, parse_size));
    RETURN_IF_ERROR(take(options.cpus, resources.cpu_millis, parse_cpus));
    return take(options.pids, resources.pids, parse_pids_or_none);
}

// Lists add to the file's.
Status add_lists(const CreateOptions& options, model::ContainerSpec& spec) {
    for (const std::string& address : options.addresses) {
        ASSIGN_OR_RETURN(const auto parsed, model::IpAddress::parse(address));
        spec.addresses.push_back(parsed);
    }
    for (const std::string& file : options.ssh_key_files) {
        RETURN_IF_ERROR(read_key_file(file, spec.ssh_keys));
    }
    return {};
}

struct Asked {
    model::ContainerSpec spec;
    bool any_pids = false; ///< by name: without a word about it there is a default
};

// Flags win over the file.
Result<Asked> make_spec(const CreateOptions& options) {
    model::ContainerSpec spec;
    RETURN_IF_ERROR(read_spec_file(options.spec_file, spec));
    for (const auto& [from, into] : {std::pair(&options.name, &spec.name),
                                     {&options.template_name, &spec.template_name},
                                     {&options.hostname, &spec.hostname}}) {
        if (!from->empty()) {
            *into = *from;
        }
    }
    RETURN_IF_ERROR(take(options.disk, spec.disk_bytes, parse_size));
    RETURN_IF_ERROR(take(options.encryption, spec.encryption, model::parse_encryption));
    RETURN_IF_ERROR(take(options.rootfs, spec.rootfs, model::parse_rootfs));
    RETURN_IF_ERROR(take_resources(options, spec.resources));
    ASSIGN_OR_RETURN(const model::PolicyChange policies, policies_of(options.policies));
    model::apply(policies, spec.boot, spec.restart);
    RETURN_IF_ERROR(add_lists(options, spec));
    const bool any_pids = spec.resources.pids == kAnyPids;
    if (any_pids) {
        spec.resources.pids.reset();
    }
    RETURN_IF_ERROR(model::validate(spec));
    return Asked{.spec = std::move(spec), .any_pids = any_pids};
}

// One line, whichever way it ends.
Result<secret::SecretBuffer> password_in(std::span<char> text) {
    text = text.subspan(size_of_byte_order_mark({text.data(), text.size()}));
    for (const char end : {'\n', '\r'}) {
        if (!text.empty() && text.back() == end) {
            text = text.first(text.size() - 1);
        }
    }
    if (text.empty()) {
        return fail(ErrorCode::invalid_argument, "no password came on stdin");
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

Result<int> create(const Globals& globals, const CreateOptions& options) {
    ASSIGN_OR_RETURN(const Asked asked, make_spec(options));
    const model::ContainerSpec& spec = asked.spec;
    nlohmann::json request = api::to_json(spec);
    if (asked.any_pids) {
        request["pids"] = nullptr;
    }
    request["start"] = options.start || !options.wait.empty();
    if (options.password_stdin) {
        ASSIGN_OR_RETURN(const secret::SecretBuffer password, read_password());
        ASSIGN_OR_RETURN(request["root_password_hash"], secret::hash_password(password));
    }
    RETURN_IF_ERROR(run_operation(globals, "POST", "/v1/containers", request.dump()));
    const std::string path = "/v1/containers/" + escaped(spec.name);
    if (!options.wait.empty()) {
        RETURN_IF_ERROR(globals.client().call(
            "GET", path + "/wait?for=" + escaped(options.wait) + "&timeout=5m"));
    }
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("GET", path));
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
    command->add_option(
        "--template,--ostemplate", options->template_name, "Template to make it from");
    of_bytes(command->add_option(
                 "--spec", options->spec_file, "YAML file with the same keys; flags win"),
             "PATH");
    command->add_option("--disk,--diskspace", options->disk, "Size of its disk (2G)");
    command->add_option(
        "--memory,--ram", options->memory, "Memory limit, such as 512M (default: none)");
    command->add_option("--cpus", options->cpus, "CPU limit, such as 1.5 (default: none)");
    command->add_option("--pids", options->pids, "Limit of processes, or none (default: 4096)");
    of_bytes(add_list(*command,
                      "--ssh-key",
                      options->ssh_key_files,
                      "File with public keys for root; may be repeated"),
             "PATH");
    command->add_flag(
        "--password-stdin", options->password_stdin, "Read root's password from stdin");
    command->add_option("--hostname", options->hostname, "Host name inside (default: NAME)");
    add_list(*command,
             "--ip,--ipadd",
             options->addresses,
             "Address, one per family (default: from the pool)");
    command->add_option(
        "--encryption", options->encryption, "luks2, fscrypt or none (default: the best there is)");
    command->add_option("--rootfs", options->rootfs, "shared (default) or private");
    add_policy_options(*command, options->policies);
    command->add_flag("--start", options->start, "Start it");
    command->add_option("--wait", options->wait, "Start it and wait until it is running or ready");
}

} // namespace lodge::cli
