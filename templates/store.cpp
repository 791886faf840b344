#include "lib/base/revert.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "lib/model/container.hpp"
#include "templates/adapt.hpp"
#include "templates/builder.hpp"
#include "templates/image.hpp"
#include "templates/template_store.hpp"
#include "templates/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <ctime>
#include <functional>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lodge::templates {

namespace {

constexpr const char* kImageName = "template.erofs";
constexpr std::string_view kDigestPrefix = "sha256:";
constexpr std::string_view kRecordSuffix = ".json";
constexpr std::size_t kLongestRecord = std::size_t{64} << 10;
constexpr std::string_view kWorkPrefix = ".work-";

// The exit code of lodge-unpack is the kind of the failure; the sentence is on stderr.
ErrorCode code_of_exit(int exit_code) {
    switch (exit_code) {
    case 2:
        return ErrorCode::invalid_argument;
    case 3:
        return ErrorCode::no_space;
    case 4:
        return ErrorCode::resource_exhausted;
    default:
        return ErrorCode::internal;
    }
}

Status check_id(const std::string& id) {
    if (id.empty() || id.find_first_not_of("0123456789abcdef-") != std::string::npos) {
        return fail(ErrorCode::invalid_argument, "'" + id + "' does not name a unit of work");
    }
    return {};
}

// The source of an image.
struct Tree {
    std::string path;
    std::optional<std::int64_t> newest; ///< mtime, Unix seconds, of files from elsewhere
};

void warn(const Work& work, const std::string& sentence) {
    if (work.warn) {
        work.warn(sentence);
    }
}

Status make_ready(int tree_fd, const TreeKind& kind, const Work& work) {
    RETURN_IF_ERROR(depersonalise(tree_fd));
    ASSIGN_OR_RETURN(const auto sentences, adapt(tree_fd, kind));
    for (const std::string& sentence : sentences) {
        warn(work, sentence);
    }
    return {};
}

class DirectoryStore final : public TemplateStore {
  public:
    explicit DirectoryStore(StoreSettings settings) : settings_(std::move(settings)) {}

    Result<Template> build(const Definition& definition, const Work& work) override {
        return make(work, [&](Tree& tree) -> Result<Template> {
            work.progress("install packages");
            RETURN_IF_ERROR(run_mmdebstrap(definition, tree.path, work.cancel_fd));
            work.progress("finish the tree");
            ASSIGN_OR_RETURN(const auto root, kernel::open_directory(tree.path));
            ASSIGN_OR_RETURN(const TreeKind kind, inspect_tree(root.get()));
            RETURN_IF_ERROR(make_ready(root.get(), kind, work));
            RETURN_IF_ERROR(apply_definition(root.get(), definition));
            return Template{.name = definition.name,
                            .init = definition.init,
                            .halt_signal = definition.halt_signal,
                            .ready = definition.ready,
                            .source = definition.builder + " " + definition.suite};
        });
    }

    Result<Template> import(const std::string& name, int archive_fd, const Work& work) override {
        return make(work, [&](Tree& tree) -> Result<Template> {
            work.progress("unpack");
            ASSIGN_OR_RETURN(tree.newest, unpack(archive_fd, tree.path, work));
            if (work.received) {
                RETURN_IF_ERROR(work.received());
            }
            work.progress("finish the tree");
            ASSIGN_OR_RETURN(const auto root, kernel::open_directory(tree.path));
            ASSIGN_OR_RETURN(const TreeKind kind, inspect_tree(root.get()));
            RETURN_IF_ERROR(make_ready(root.get(), kind, work));
            return Template{.name = name,
                            .init = kind.init,
                            .halt_signal = kind.halt_signal,
                            .ready = kind.ready,
                            .source = "import"};
        });
    }

    Status discard(const std::string& work_id) override {
        RETURN_IF_ERROR(check_id(work_id));
        const auto directory = kernel::open_directory(settings_.directory);
        if (!directory) {
            return directory.error().sys_errno() == ENOENT
                       ? Status{}
                       : std::unexpected<Error>(directory.error());
        }
        return kernel::remove_tree_at(directory->get(), std::string(kWorkPrefix) + work_id);
    }

    Status remove(const std::string& digest) override {
        ASSIGN_OR_RETURN(const std::string hex, hex_of(digest));
        ASSIGN_OR_RETURN(const auto directory, kernel::open_directory(settings_.directory));
        return kernel::remove_tree_at(directory.get(), hex);
    }

    Result<std::vector<std::string>> list() override { return digests_in(settings_.directory); }
    Result<std::vector<std::string>> mount_points() override {
        return digests_in(settings_.run_directory);
    }
    Result<std::vector<std::string>> works() override {
        std::vector<std::string> ids;
        RETURN_IF_ERROR(for_each_name(settings_.directory, [&](const std::string& name) {
            if (name.starts_with(kWorkPrefix) && check_id(name.substr(kWorkPrefix.size()))) {
                ids.push_back(name.substr(kWorkPrefix.size()));
            }
        }));
        return ids;
    }

    Status put_record(const ImageRecord& record) override {
        ASSIGN_OR_RETURN(const std::string hex, hex_of(record.digest));
        RETURN_IF_ERROR(model::validate_name(record.name));
        ASSIGN_OR_RETURN(const auto place, kernel::open_directory(settings_.directory + "/" + hex));
        return kernel::replace_file(
            place.get(), record.name + std::string(kRecordSuffix), record.text, 0600);
    }

    Status remove_record(const std::string& digest, const std::string& name) override {
        ASSIGN_OR_RETURN(const std::string hex, hex_of(digest));
        RETURN_IF_ERROR(model::validate_name(name));
        const std::string path =
            settings_.directory + "/" + hex + "/" + name + std::string(kRecordSuffix);
        return ::unlink(path.c_str()) == 0 || errno == ENOENT ? Status{}
                                                              : fail_errno("unlink", path);
    }

    Result<std::vector<ImageRecord>> records() override {
        std::vector<ImageRecord> all;
        ASSIGN_OR_RETURN(const auto digests, list());
        for (const std::string& digest : digests) {
            RETURN_IF_ERROR(read_records(digest, all));
        }
        std::sort(all.begin(), all.end(), [](const ImageRecord& a, const ImageRecord& b) {
            return std::tie(a.digest, a.name) < std::tie(b.digest, b.name);
        });
        return all;
    }

    Result<kernel::MountFd> mount(const std::string& digest) override {
        ASSIGN_OR_RETURN(const std::string hex, hex_of(digest));
        const std::lock_guard guard(mounting_);
        ASSIGN_OR_RETURN(const bool mounted, is_mounted(hex));
        if (!mounted) {
            RETURN_IF_ERROR(kernel::make_directories(settings_.run_directory, 0700));
            RETURN_IF_ERROR(kernel::make_directory(mount_point(hex), 0700));
            auto image = mount_image(image_path(hex));
            if (!image) {
                return std::unexpected<Error>(
                    std::move(image).error().context("mount the template " + digest));
            }
            RETURN_IF_ERROR(kernel::attach_mount(image->get(), AT_FDCWD, mount_point(hex)));
            mounted_.push_back(hex);
        }
        return kernel::clone_mount(AT_FDCWD, mount_point(hex));
    }

    Status unmount(const std::string& digest) override {
        ASSIGN_OR_RETURN(const std::string hex, hex_of(digest));
        const std::lock_guard guard(mounting_);
        std::erase(mounted_, hex);
        RETURN_IF_ERROR(kernel::detach_mount(mount_point(hex)));
        if (::rmdir(mount_point(hex).c_str()) != 0 && errno != ENOENT) {
            return fail_errno("rmdir", mount_point(hex));
        }
        return {};
    }

  private:
    std::string image_path(const std::string& hex) const {
        return settings_.directory + "/" + hex + "/" + kImageName;
    }
    std::string mount_point(const std::string& hex) const {
        return settings_.run_directory + "/" + hex;
    }

    Status read_records(const std::string& digest, std::vector<ImageRecord>& into) const {
        ASSIGN_OR_RETURN(const std::string hex, hex_of(digest));
        ASSIGN_OR_RETURN(const auto place, kernel::open_directory(settings_.directory + "/" + hex));
        return kernel::for_each_entry(
            place.get(), [&](const std::string& file, unsigned char) -> Status {
                if (!file.ends_with(kRecordSuffix)) {
                    return {};
                }
                const std::string name = file.substr(0, file.size() - kRecordSuffix.size());
                if (!model::validate_name(name)) { // half-written, or nothing of ours
                    return {};
                }
                ASSIGN_OR_RETURN(
                    const UniqueFd fd,
                    kernel::open_at(place.get(), file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
                ASSIGN_OR_RETURN(const std::string text,
                                 kernel::read_all(fd.get(), kLongestRecord));
                into.push_back({.digest = digest, .name = name, .text = text});
                return {};
            });
    }

    // A directory that does not exist holds nothing.
    static Status for_each_name(const std::string& path,
                                const std::function<void(const std::string& name)>& visit) {
        const auto directory = kernel::open_directory(path);
        if (!directory) {
            return directory.error().sys_errno() == ENOENT
                       ? Status{}
                       : std::unexpected<Error>(directory.error());
        }
        return kernel::for_each_entry(directory->get(),
                                      [&](const std::string& name, unsigned char) -> Status {
                                          visit(name);
                                          return {};
                                      });
    }

    static Result<std::vector<std::string>> digests_in(const std::string& path) {
        std::vector<std::string> digests;
        RETURN_IF_ERROR(for_each_name(path, [&](const std::string& name) {
            std::string digest = std::string(kDigestPrefix) + name;
            if (hex_of(digest)) { // another name is nothing of ours
                digests.push_back(std::move(digest));
            }
        }));
        return digests;
    }

    static Result<std::string> hex_of(const std::string& digest) {
        const bool good =
            digest.size() == kDigestPrefix.size() + 64 && digest.rfind(kDigestPrefix, 0) == 0 &&
            digest.find_first_not_of("0123456789abcdef", kDigestPrefix.size()) == std::string::npos;
        if (!good) {
            return fail(ErrorCode::invalid_argument, "'" + digest + "' is not a template's digest");
        }
        return digest.substr(kDigestPrefix.size());
    }

    // Known from our own doing, or found in mountinfo when an earlier daemon did it.
    Result<bool> is_mounted(const std::string& hex) {
        if (std::find(mounted_.begin(), mounted_.end(), hex) != mounted_.end()) {
            return true;
        }
        ASSIGN_OR_RETURN(const auto mounts, kernel::read_mountinfo());
        const bool found =
            std::any_of(mounts.begin(), mounts.end(), [&](const kernel::MountInfo& mount) {
                return mount.mount_point == mount_point(hex) && mount.type == "erofs";
            });
        if (found) {
            mounted_.push_back(hex);
        }
        return found;
    }

    // Returns the time of the newest entry.
    Result<std::int64_t> unpack(int archive_fd, const std::string& tree, const Work& work) {
        RETURN_IF_ERROR(kernel::make_directory(tree, 0755));
        ASSIGN_OR_RETURN(
            const auto output,
            kernel::run_program({.path = settings_.unpack_program,
                                 .arguments = {tree, std::to_string(settings_.most_unpacked_bytes)},
                                 .input_fd = archive_fd,
                                 .deadline = Deadline::after(std::chrono::minutes(60)),
                                 .cancel_fd = work.cancel_fd,
                                 .judged = true}));
        if (output.exit_code == 0) {
            return take_report(output.standard_output, work);
        }
        std::string said = output.standard_error;
        while (!said.empty() && said.back() == '\n') {
            said.pop_back();
        }
        return fail(code_of_exit(output.exit_code), said);
    }

    static Result<std::int64_t> take_report(const std::string& text, const Work& work) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::int64_t newest = 0;
        if (std::from_chars(text.data(), text.data() + end, newest).ec != std::errc{}) {
            return fail(ErrorCode::internal, "lodge-unpack did not say what it did");
        }
        if (const std::string left_out = text.substr(std::min(end + 1, text.size()));
            !left_out.empty()) {
            warn(work, left_out);
        }
        return newest;
    }

    // The frame of build and import: a work directory, the tree, the image, its digest, one rename.
    template <typename MakeTree>
    Result<Template> make(const Work& work, const MakeTree& make_tree) {
        RETURN_IF_ERROR(check_id(work.id));
        RETURN_IF_ERROR(kernel::make_directories(settings_.directory, 0700));
        const std::string place = settings_.directory + "/" + std::string(kWorkPrefix) + work.id;
        if (::mkdir(place.c_str(), 0700) != 0) {
            return fail_errno("mkdir", place);
        }
        Revert revert;
        revert.add([&] { (void)discard(work.id); });
        Tree tree{.path = place + "/tree", .newest = {}};
        ASSIGN_OR_RETURN(Template made, make_tree(tree));
        work.progress("pack");
        const std::string result = place + "/result";
        RETURN_IF_ERROR(kernel::make_directory(result, 0700));
        RETURN_IF_ERROR(
            pack_image(tree.path, result + "/" + kImageName, tree.newest, work.cancel_fd));
        ASSIGN_OR_RETURN(const std::string hex, sha256_of(result + "/" + kImageName));
        RETURN_IF_ERROR(publish(result, hex));
        made.digest = std::string(kDigestPrefix) + hex;
        struct stat info{};
        if (::stat(image_path(hex).c_str(), &info) != 0) {
            return fail_errno("stat", image_path(hex));
        }
        made.bytes = static_cast<std::uint64_t>(info.st_size);
        made.created_at = static_cast<std::int64_t>(::time(nullptr));
        return made; // the guard removes the tree
    }

    Status publish(const std::string& result, const std::string& hex) {
        const std::string place = settings_.directory + "/" + hex;
        if (::rename(result.c_str(), place.c_str()) != 0 && errno != EEXIST && errno != ENOTEMPTY) {
            return fail_errno("rename", place);
        }
        ASSIGN_OR_RETURN(const UniqueFd parent,
                         kernel::open_file(settings_.directory, O_RDONLY | O_DIRECTORY));
        if (::fsync(parent.get()) != 0) {
            return fail_errno("fsync", settings_.directory);
        }
        return {};
    }

    StoreSettings settings_;
    std::mutex mounting_;              ///< orders mount and unmount; protects mounted_
    std::vector<std::string> mounted_; ///< hex digests whose host mount exists
};

} // namespace

std::unique_ptr<TemplateStore> make_template_store(StoreSettings settings) {
    return std::make_unique<DirectoryStore>(std::move(settings));
}

} // namespace lodge::templates
