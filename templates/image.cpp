#include "templates/image.hpp"

#include "lib/kernel/fs.hpp"
#include "lib/kernel/loop.hpp"
#include "lib/kernel/program.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mount.h>
#include <unistd.h>

namespace lodge::templates {

namespace {

// The UUID in the superblock of every image; an image is identified by its digest.
constexpr const char* kImageId = "6c6f6467-6500-4000-8000-000000000000";

struct DigestFree {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

Result<kernel::MountFd> mount_source(const std::string& source) {
    return kernel::new_mount({.type = "erofs",
                              .source = source,
                              .read_only = true,
                              .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV});
}

} // namespace

Status pack_image(const std::string& tree,
                  const std::string& image,
                  std::optional<std::int64_t> newest,
                  int cancel_fd) {
    // Equal trees have to give equal images. So the image has nothing random and no present time,
    // neither its own nor that of a file that Lodge put into the tree.
    std::vector<std::string> environment;
    if (newest) {
        environment.push_back("SOURCE_DATE_EPOCH=" + std::to_string(*newest));
    }
    // Not compressed: containers map pages of it directly, and share them.
    ASSIGN_OR_RETURN(
        const auto output,
        with_context(kernel::run_program({.path = "mkfs.erofs",
                                          .arguments = {"--quiet", "-U", kImageId, image, tree},
                                          .environment = environment,
                                          .deadline = Deadline::after(std::chrono::minutes(10)),
                                          .cancel_fd = cancel_fd}),
                     "pack the template"));
    (void)output; // quiet on success
    ASSIGN_OR_RETURN(const UniqueFd file, kernel::open_file(image, O_RDONLY));
    if (::fsync(file.get()) != 0) {
        return fail_errno("fsync", image);
    }
    return {};
}

Result<std::string> sha256_of(const std::string& path) {
    ASSIGN_OR_RETURN(const UniqueFd file, kernel::open_file(path, O_RDONLY));
    const std::unique_ptr<EVP_MD_CTX, DigestFree> context(EVP_MD_CTX_new());
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
        return fail(ErrorCode::internal, "libcrypto has no SHA-256");
    }
    std::string chunk(std::size_t{1} << 20, '\0');
    while (true) {
        const ssize_t size = ::read(file.get(), chunk.data(), chunk.size());
        if (size < 0) {
            return fail_errno("read", path);
        }
        if (size == 0) {
            break;
        }
        (void)EVP_DigestUpdate(context.get(),
                               chunk.data(),
                               static_cast<std::size_t>(size)); // cannot fail once started
    }
    std::array<unsigned char, 32> digest{};
    (void)EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
    std::string hex;
    for (const unsigned char byte : digest) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        hex += kDigits[byte >> 4];
        hex += kDigits[byte & 15];
    }
    return hex;
}

Result<kernel::MountFd> mount_image(const std::string& image) {
    auto direct = mount_source(image);
    if (direct || direct.error().sys_errno() != ENOTBLK) {
        return direct;
    }
    ASSIGN_OR_RETURN(const UniqueFd file, kernel::open_unseen(image, O_RDONLY));
    ASSIGN_OR_RETURN(
        const auto loop,
        kernel::LoopDevice::attach(file.get(), {.label = "lodge-template", .read_only = true}));
    return mount_source(loop.path());
}

} // namespace lodge::templates
