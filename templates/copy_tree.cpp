#include "lib/base/contained.hpp"
#include "templates/template_store.hpp"

#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

namespace lodge::templates {

namespace {

struct ReadFree {
    void operator()(archive* handle) const { (void)archive_read_free(handle); }
};
struct WriteFree {
    void operator()(archive* handle) const { (void)archive_write_free(handle); }
};
struct EntryFree {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

std::unexpected<Error> failed(archive* handle, const char* what) {
    const int error_number = archive_errno(handle);
    return fail(error_code_from_errno(error_number),
                std::string(what) + ": " + archive_error_string(handle));
}

Status copy(int source_fd, int target_fd) {
    // libarchive works on paths; the magic links lead to exactly these directories.
    const std::string source = "/proc/self/fd/" + std::to_string(source_fd) + "/.";
    const std::string target = "/proc/self/fd/" + std::to_string(target_fd) + "/";
    const std::unique_ptr<archive, ReadFree> reader(archive_read_disk_new());
    const std::unique_ptr<archive, WriteFree> writer(archive_write_disk_new());
    (void)archive_read_disk_set_behavior(reader.get(),
                                         ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS); // a known flag
    (void)archive_write_disk_set_options(writer.get(),
                                         ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM |
                                             ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_XATTR |
                                             ARCHIVE_EXTRACT_SPARSE);
    if (archive_read_disk_open(reader.get(), source.c_str()) != ARCHIVE_OK) {
        return failed(reader.get(), "open the template's tree");
    }
    const std::unique_ptr<archive_entry_linkresolver, void (*)(archive_entry_linkresolver*)> links(
        archive_entry_linkresolver_new(), archive_entry_linkresolver_free);
    archive_entry_linkresolver_set_strategy(links.get(), ARCHIVE_FORMAT_TAR);
    const std::unique_ptr<archive_entry, EntryFree> entry(archive_entry_new());
    while (true) {
        const int rc = archive_read_next_header2(reader.get(), entry.get());
        if (rc == ARCHIVE_EOF) {
            break;
        }
        if (rc < ARCHIVE_WARN) {
            return failed(reader.get(), "read the template's tree");
        }
        (void)archive_read_disk_descend(reader.get()); // fails for a file, rightly
        const std::string path = archive_entry_pathname(entry.get());
        archive_entry_copy_pathname(entry.get(), (target + path.substr(source.size() - 1)).c_str());
        archive_entry* now = entry.get();
        archive_entry* later = nullptr;
        archive_entry_linkify(links.get(), &now, &later);
        if (archive_write_header(writer.get(), now) < ARCHIVE_WARN) {
            return failed(writer.get(), "write into the volume");
        }
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        while (archive_entry_size(now) > 0 &&
               archive_read_data_block(reader.get(), &block, &size, &offset) == ARCHIVE_OK) {
            if (archive_write_data_block(writer.get(), block, size, offset) < ARCHIVE_OK) {
                return failed(writer.get(), "write into the volume");
            }
        }
        if (archive_write_finish_entry(writer.get()) < ARCHIVE_WARN) {
            return failed(writer.get(), "write into the volume");
        }
    }
    if (archive_write_close(writer.get()) < ARCHIVE_WARN) {
        return failed(writer.get(), "write into the volume");
    }
    return {};
}

} // namespace

// libarchive sets the umask and changes the directory while it works: those of a thread that shares
// them with no other (man 2 unshare, CLONE_FS).
Status copy_tree(int source_fd, int target_fd) {
    Status copied;
    try {
        std::jthread([&] {
            copied = contained([&]() -> Status {
                return ::unshare(CLONE_FS) == 0 ? copy(source_fd, target_fd)
                                                : fail_errno("unshare(CLONE_FS)");
            });
        }).join();
    } catch (const std::system_error& error) { // no thread was to be had
        copied = fail(ErrorCode::resource_exhausted, error.what());
    }
    return with_context(std::move(copied), "copy the template's tree");
}

} // namespace lodge::templates
