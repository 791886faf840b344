#include "cli/files.hpp"
#include "cli/hints.hpp"
#include "cli/output.hpp"
#include "cli/underway.hpp"
#include "cli/values.hpp"
#include "cli/words.hpp"
#include "lib/model/container.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <memory>

#include <unistd.h>

namespace lodge::cli {

namespace {

using nlohmann::json;

struct TemplateOptions {
    std::string name;
    std::string file;
    std::string definition;
};

std::string template_path(const std::string& name) {
    return "/v1/templates/" + escaped(name);
}

Result<int> list_templates(const Globals& globals) {
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("GET", "/v1/templates"));
    ASSIGN_OR_RETURN(const json all, parse_answer(text));
    if (globals.json) {
        print_json(all);
        return 0;
    }
    std::vector<std::vector<std::string>> rows{{"NAME", "SIZE", "INIT", "SOURCE", "DIGEST"}};
    for (const json& one : all) {
        rows.push_back({one.value("name", ""),
                        told_size(one.value("bytes", std::uint64_t{0})),
                        one.value("init", ""),
                        one.value("source", ""),
                        one.value("digest", "").substr(0, 19)});
    }
    print_table(rows);
    return 0;
}

Result<int> template_info(const Globals& globals, const std::string& name) {
    ASSIGN_OR_RETURN(const std::string text, globals.client().call("GET", template_path(name)));
    ASSIGN_OR_RETURN(const json one, parse_answer(text));
    if (globals.json) {
        print_json(one);
        return 0;
    }
    print_object(one);
    return 0;
}

Result<int> confirm_done(const Globals& globals, const json& operation, const std::string& done) {
    if (globals.json) {
        print_json(operation);
    }
    confirm(globals, done);
    return 0;
}

Result<int> build(const Globals& globals, const TemplateOptions& options) {
    if (!options.name.empty()) {
        RETURN_IF_ERROR(of_option(model::validate_name(options.name), "template build --name"));
    }
    const std::string name = options.name.empty() ? options.definition : options.name;
    ASSIGN_OR_RETURN(const json operation,
                     run_operation(globals,
                                   "POST",
                                   template_path(name) + "/build",
                                   json{{"definition", options.definition}}.dump()));
    return confirm_done(globals, operation, "the template '" + name + "' is built");
}

Result<int> import(const Globals& globals, const TemplateOptions& options) {
    RETURN_IF_ERROR(of_option(model::validate_name(options.name), "template import NAME"));
    RETURN_IF_ERROR(check_named_file("template import FILE", options.file));
    std::ifstream file(options.file, std::ios::binary);
    const Underway underway("the template '" + options.name +
                            "' is not imported unless all of its archive was sent; `lodge "
                            "operation list` shows it then");
    if (::isatty(STDERR_FILENO) == 1) {
        confirm(globals, "importing '" + options.file + "' ...");
    }
    ASSIGN_OR_RETURN(const std::string text,
                     globals.client().upload(template_path(options.name) + "/import", file));
    ASSIGN_OR_RETURN(const json operation, parse_answer(text));
    show_warnings(operation);
    return confirm_done(globals, operation, "the template '" + options.name + "' is imported");
}

Result<int> remove(const Globals& globals, const TemplateOptions& options) {
    ASSIGN_OR_RETURN(const json operation,
                     run_operation(globals, "DELETE", template_path(options.name)));
    return confirm_done(globals, operation, "the template '" + options.name + "' is removed");
}

Result<int> definitions(const Globals& globals) {
    ASSIGN_OR_RETURN(const std::string text,
                     globals.client().call("GET", "/v1/template-definitions"));
    ASSIGN_OR_RETURN(const json all, parse_answer(text));
    if (globals.json) {
        print_json(all);
        return 0;
    }
    std::vector<std::vector<std::string>> rows{{"DEFINITION", "DESCRIPTION"}};
    for (const json& one : all) {
        rows.push_back({one.value("name", ""), one.value("description", "")});
    }
    print_table(rows);
    return 0;
}

} // namespace

void add_template_commands(const Registry& registry) {
    const Globals& globals = registry.globals;
    CLI::App* family =
        registry.app.add_subcommand("template", "Templates that containers are made from");
    family->require_subcommand(1);
    const auto options = std::make_shared<TemplateOptions>();
    CLI::App* building =
        registry.add(*family, "build", "Build a template from a definition", [&globals, options] {
            return build(globals, *options);
        });
    building->add_option("DEFINITION", options->definition, "See `lodge template definitions`")
        ->required();
    building->add_option(
        "--name", options->name, "Name of the template (default: that of the definition)");
    CLI::App* importing = registry.add(*family,
                                       "import",
                                       "Import a root tree from a tar archive",
                                       [&globals, options] { return import(globals, *options); });
    importing->add_option("NAME", options->name, "Name of the template")->required();
    of_bytes(importing->add_option("FILE", options->file, "FILE.tar, .tar.gz, .tar.xz or .tar.zst"),
             "PATH")
        ->required();
    registry.add(*family, "list", "List templates", [&globals] { return list_templates(globals); });
    registry.add(*family, "definitions", "List definitions that can be built", [&globals] {
        return definitions(globals);
    });
    CLI::App* showing = registry.add(*family, "info", "Show a template", [&globals, options] {
        return template_info(globals, options->name);
    });
    showing->add_option("NAME", options->name, "The template")->required();
    CLI::App* removing = registry.add(*family,
                                      "remove",
                                      "Remove a template that no container uses",
                                      [&globals, options] { return remove(globals, *options); });
    removing->add_option("NAME", options->name, "The template")->required();
}

} // namespace lodge::cli
