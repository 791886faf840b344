#pragma once

#include "lib/base/error.hpp"
#include "lib/kernel/mount.hpp"
#include "templates/definition.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lodge::templates {

/// A finished template: one read-only EROFS image and what a container needs to know of it.
struct Template {
    std::string name;
    std::string digest;      ///< "sha256:<hex>" of the image
    std::uint64_t bytes = 0; ///< of the image
    std::string init;        ///< "/sbin/init"
    std::string halt_signal; ///< "SIGRTMIN+3"
    std::string ready;       ///< how readiness is seen: "ssh" or "running"
    std::string source;      ///< "mmdebstrap debian-12", "import"
    std::int64_t created_at = 0;
};

/// What the daemon keeps beside an image about one of the names that stand for it. The store does
/// not look into the text.
struct ImageRecord {
    std::string digest;
    std::string name; ///< a DNS label
    std::string text;
};

/// Told when a long step begins.
using Progress = std::function<void(const std::string& step)>;

/// One unit of work that makes a template.
struct Work {
    std::string id; ///< names its directory; the operation's UUID
    Progress progress;
    /// Told a sentence about what of the source is not in the template; may be empty.
    std::function<void(const std::string& sentence)> warn{};
    int cancel_fd = -1; ///< readable: stop and return `cancelled`
    /// Asked when an import has read its archive, before it makes anything of it: whether that was
    /// the whole. Empty: it was.
    std::function<Status()> received;
};

/// Makes templates in a directory of their own and mounts them. One subdirectory per digest:
/// DIR/<hex>/template.erofs, and beside it a record for each name of it, DIR/<hex>/NAME.json.
/// Unfinished work lies in DIR/.work-<operation> and is swept by `discard`. Knows no database: the
/// daemon keeps which name means which digest. Thread-safe.
class TemplateStore {
  public:
    TemplateStore() = default;
    TemplateStore(const TemplateStore&) = delete;
    TemplateStore& operator=(const TemplateStore&) = delete;
    virtual ~TemplateStore() = default;

    /// Builds by the definition with the host's own apt configuration. Everything lies in
    /// DIR/.work-<id> until the last rename. On failure or cancel nothing is left.
    [[nodiscard]] virtual Result<Template> build(const Definition& definition,
                                                 const Work& work) = 0;
    /// Takes a root tree as a tar archive (plain, gz, xz, zst) read from `archive_fd` (any stream).
    /// Hostile entries are refused or made harmless; see templates/README.md.
    [[nodiscard]] virtual Result<Template>
    import(const std::string& name, int archive_fd, const Work& work) = 0;
    /// Removes what an unfinished build or import of that id left. Success when nothing is there.
    [[nodiscard]] virtual Status discard(const std::string& work_id) = 0;
    /// Removes the image of a digest. Pre: unmounted.
    [[nodiscard]] virtual Status remove(const std::string& digest) = 0;
    /// Digests of all images: the inventory.
    [[nodiscard]] virtual Result<std::vector<std::string>> list() = 0;
    /// Digests that have a mount point below the run directory, mounted or not: the inventory.
    [[nodiscard]] virtual Result<std::vector<std::string>> mount_points() = 0;
    /// Ids of the builds and imports that have a work directory, those on their way among them.
    [[nodiscard]] virtual Result<std::vector<std::string>> works() = 0;

    /// Keeps the record beside its image, atomically and durably, in place of an earlier one.
    [[nodiscard]] virtual Status put_record(const ImageRecord& record) = 0;
    /// Success when there is none.
    [[nodiscard]] virtual Status remove_record(const std::string& digest,
                                               const std::string& name) = 0;
    /// All records of all images, by digest and name.
    [[nodiscard]] virtual Result<std::vector<ImageRecord>> records() = 0;

    /// The image mounted read-only, once per host, at RUN/<hex> (so that all containers share its
    /// page cache), as a fresh detached clone for the caller. Mounts it when nobody has yet.
    [[nodiscard]] virtual Result<kernel::MountFd> mount(const std::string& digest) = 0;
    /// Unmounts the host's one mount (containers keep their own references). Success when not
    /// mounted.
    [[nodiscard]] virtual Status unmount(const std::string& digest) = 0;
};

struct StoreSettings {
    std::string directory;      ///< images and unfinished work, on a real filesystem
    std::string run_directory;  ///< mount points
    std::string unpack_program; ///< path of lodge-unpack
    std::uint64_t most_unpacked_bytes = std::uint64_t{16} << 30;
};
[[nodiscard]] std::unique_ptr<TemplateStore> make_template_store(StoreSettings settings);

/// Copies a whole tree (ids, modes, times, xattrs, hard links, holes) from one directory into
/// another, for `--rootfs private`. Both belong to us alone while it runs.
[[nodiscard]] Status copy_tree(int source_fd, int target_fd);

} // namespace lodge::templates
